/**
 * Reads a model's directory. This module does file I/O and uses `Deno.*`.
 */
import { readTokenizer } from "../data/read_tokenizer.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { type ModelDirectory, openModelDirectory } from "../models/files/directory.ts";
import type { ModelConfig } from "../models/config.ts";
import { families, parseModelConfig } from "../models/families/mod.ts";
import { checkTensors, modelTensors } from "../models/tensors.ts";

/** A model's files, checked, and its tokenizer. */
export interface LoadedModel {
  /** The open directory; close it when the weights are read. */
  readonly directory: ModelDirectory;
  /** Its architecture. */
  readonly config: ModelConfig;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
}

/**
 * Opens a model directory and checks that config, weights and tokenizer belong together.
 *
 * @param options.template A chat template's file that wins over the model's own.
 * @throws If something is missing, malformed, unsupported or doesn't fit; the message names it.
 */
export async function loadModel(
  path: string,
  { template = null }: { template?: string | null } = {},
): Promise<LoadedModel> {
  const opened = await openModelDirectory(path);
  try {
    const config = parseModelConfig(opened.config, { name: `${path}/config.json` });
    const directory = withFullNames(opened, config);
    checkTensors(config, directory.tensors, { name: path });
    const tokenizer = await loadTokenizerOf(path, { template });
    if (tokenizer.vocabularySize > config.vocabularySize) {
      throw new Error(
        `${path}: the tokenizer has ids up to ${
          tokenizer.vocabularySize - 1
        }, but vocab_size in config.json is ` +
          `${config.vocabularySize}; tokenizer and weights are of different models`,
      );
    }
    return { directory, config, tokenizer };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/**
 * A directory whose tensors are called as in the whole model: a file that was written from the inner model alone, as the
 * published `gpt2` was, lacks the names' beginning.
 */
export function withFullNames(directory: ModelDirectory, config: ModelConfig): ModelDirectory {
  const { prefix } = families[config.family];
  const lacksIt = ![...directory.tensors.keys()].some((name) => name.startsWith(prefix));
  if (!lacksIt) return directory;
  const [first] = modelTensors(config);
  if (!directory.tensors.has(first!.name.slice(prefix.length))) return directory;
  const inner = (name: string) => name.startsWith(prefix) ? name.slice(prefix.length) : name;
  const outer = (name: string) => modelNames.has(prefix + name) ? prefix + name : name;
  const modelNames = new Set(modelTensors(config).map(({ name }) => name));
  return {
    ...directory,
    tensors: new Map([...directory.tensors].map(([name, tensor]) => [outer(name), tensor])),
    read: (name) => directory.read(inner(name)),
    readChunks: (name, options, receive) => directory.readChunks(inner(name), options, receive),
  };
}

/** Reads the tokenizer of a model's directory; `template` is a chat template's file that wins over its own. */
export async function loadTokenizerOf(
  path: string,
  { template = null }: { template?: string | null } = {},
): Promise<Tokenizer> {
  return await readTokenizer(path, template === null ? {} : { chatTemplate: await readTemplate(template) });
}

async function readTemplate(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`data.template: cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

/** The tokens that end an answer: those of the model's config, and the tokenizer's EOS. */
export function stopTokens({ config, tokenizer }: Pick<LoadedModel, "config" | "tokenizer">): number[] {
  return [...new Set([...config.eosTokenIds, ...(tokenizer.eosId === null ? [] : [tokenizer.eosId])])];
}
