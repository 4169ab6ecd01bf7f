/**
 * Reads a model's directory. This module does file I/O and uses `Deno.*`.
 */
import { readTokenizer } from "../data/read_tokenizer.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { type ModelDirectory, openModelDirectory } from "../models/files/directory.ts";
import { type LlamaConfig, parseLlamaConfig } from "../models/files/llama_config.ts";
import { checkTensors, llamaTensors } from "../models/files/llama_tensors.ts";

/** A model's files, checked, and its tokenizer. */
export interface LoadedModel {
  /** The open directory; close it when the weights are read. */
  readonly directory: ModelDirectory;
  /** Its architecture. */
  readonly config: LlamaConfig;
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
  const directory = await openModelDirectory(path);
  try {
    const config = parseLlamaConfig(directory.config, { name: `${path}/config.json` });
    checkTensors(llamaTensors(config), directory.tensors, { name: path });
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
    directory.close();
    throw error;
  }
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
