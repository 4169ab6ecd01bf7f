/**
 * Reads a model's directory and a run's records. This module does file I/O and uses `Deno.*`.
 */
import { readRecords } from "../data/read.ts";
import { readTokenizer } from "../data/read_tokenizer.ts";
import type { RecordKind, TrainingRecord } from "../data/records.ts";
import { describeDropped, type DropTally } from "../data/tally.ts";
import {
  tokenizeCompletions,
  type TokenizedCompletion,
  type TokenizedPair,
  tokenizePairs,
} from "../data/tokenize.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { type ModelDirectory, openModelDirectory } from "../models/files/directory.ts";
import { type LlamaConfig, parseLlamaConfig } from "../models/files/llama_config.ts";
import { checkTensors, llamaTensors } from "../models/files/llama_tensors.ts";
import type { RunConfig } from "./config.ts";
import { completionExamples, pairExamples, type TrainingExample } from "./records.ts";

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
    const tokenizer = await readTokenizer(
      path,
      template === null ? {} : { chatTemplate: await readTemplate(template) },
    );
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

/** Records as a run takes them; `any` takes pairs as pairs and all others as completions. */
export type RunRecords = "pairs" | "labelled completions" | "demonstrations" | "any";

/** Tokenized records, and what became of the others. */
export interface LoadedRecords {
  /** Ready for the engine. */
  readonly examples: TrainingExample[];
  /** The same before packing, to be shown. */
  readonly tokenized: readonly (TokenizedPair | TokenizedCompletion)[];
  /** Records left out, one line a reason; empty if none were. */
  readonly dropped: string;
  /** How many were left out. */
  readonly droppedCount: number;
  /** Prompts and completions that were cut. */
  readonly truncated: { readonly prompt: number; readonly completion: number };
}

/**
 * Reads and tokenizes files of records.
 *
 * A pair also serves where labelled completions are wanted (as one desirable and one undesirable) and where
 * demonstrations are (its chosen completion).
 *
 * @throws If a file can't be read, a record can't be used (and `data.invalid` is `error`), or none is left.
 */
export async function loadRecords(
  paths: readonly string[],
  options: {
    wanted: RunRecords;
    /** The loss that reads margins, by name; null or left out if none does. */
    needsMargins?: string | null;
    tokenizer: Tokenizer;
    data: Pick<RunConfig["data"], "maxLength" | "maxPromptLength" | "truncate" | "invalid">;
  },
): Promise<LoadedRecords> {
  const { wanted, needsMargins = null, tokenizer, data } = options;
  const parts: LoadedRecords[] = [];
  for (const path of paths) {
    const { records, dropped } = await readRecords(path, {
      invalid: data.invalid === "skip" ? "skip" : "throw",
    });
    if (needsMargins !== null) requireMargins(records, { path, loss: needsMargins });
    const tokenizeOptions = {
      file: path,
      maxLength: data.maxLength,
      truncate: data.truncate,
      ...(data.maxPromptLength === null ? {} : { maxPromptLength: data.maxPromptLength }),
    };
    parts.push(tokenizeRecords(records, { path, wanted, tokenizer, tokenizeOptions, dropped }));
  }
  const examples = parts.flatMap((part) => part.examples);
  if (examples.length === 0) {
    throw new Error(
      `${paths.join(", ")}: no record is left: ${
        parts.map(({ dropped }) => dropped.replaceAll("\n", "; ")).join("; ")
      }`,
    );
  }
  return {
    examples,
    tokenized: parts.flatMap(({ tokenized }) => tokenized),
    dropped: parts.map(({ dropped }) => dropped).filter((text) => text !== "").join("\n"),
    droppedCount: parts.reduce((sum, { droppedCount }) => sum + droppedCount, 0),
    truncated: {
      prompt: parts.reduce((sum, { truncated }) => sum + truncated.prompt, 0),
      completion: parts.reduce((sum, { truncated }) => sum + truncated.completion, 0),
    },
  };
}

function requireMargins(
  records: readonly TrainingRecord[],
  { path, loss }: { path: string; loss: string },
): void {
  const bare = records.find((record) => record.kind === "paired" && record.margin === undefined);
  if (bare === undefined) return;
  throw new Error(
    `${path}:${bare.line}: the record has no number under "margin", which the ${loss} loss reads; give each pair one, or ` +
      "take dpo",
  );
}

const suitable: Readonly<Record<RunRecords, readonly RecordKind[]>> = {
  "pairs": ["paired"],
  "labelled completions": ["unpaired", "paired"],
  "demonstrations": ["sft", "paired"],
  "any": ["sft", "paired", "unpaired"],
};

const NAMES: Readonly<Record<RecordKind, string>> = {
  paired: "pairs {prompt, chosen, rejected}",
  unpaired: "labelled completions {prompt, completion, label}",
  sft: "demonstrations {prompt, completion}",
};

function tokenizeRecords(
  records: readonly TrainingRecord[],
  { path, wanted, tokenizer, tokenizeOptions, dropped }: {
    path: string;
    wanted: RunRecords;
    tokenizer: Tokenizer;
    tokenizeOptions: Parameters<typeof tokenizePairs>[2];
    dropped: DropTally;
  },
): LoadedRecords {
  const kind = records[0]!.kind;
  const other = records.find((record) => record.kind !== kind);
  if (other !== undefined) {
    throw new Error(
      `${path}:${other.line}: a file holds one kind of record; those before this one are ${
        NAMES[kind]
      }, this is one of ` +
        NAMES[other.kind],
    );
  }
  if (!suitable[wanted].includes(kind)) {
    const needed = suitable[wanted].map((kind) => NAMES[kind]).join(" or ");
    throw new Error(`${path}: the records are ${NAMES[kind]}; this needs ${needed}`);
  }
  if (kind !== "paired") {
    const completions = records.filter((record) => record.kind !== "paired");
    const result = tokenizeCompletions(completions, tokenizer, tokenizeOptions);
    return summarize({ ...result, training: completionExamples(result.examples), read: dropped });
  }
  const result = tokenizePairs(
    records.filter((record) => record.kind === "paired"),
    tokenizer,
    tokenizeOptions,
  );
  if (wanted === "pairs" || wanted === "any") {
    return summarize({ ...result, training: pairExamples(result.examples), read: dropped });
  }
  const completions = wanted === "demonstrations"
    ? result.examples.map(({ line, prompt, chosen }) => ({ line, prompt, completion: chosen }))
    : labelBoth(result.examples);
  return summarize({
    ...result,
    examples: completions,
    training: completionExamples(completions),
    read: dropped,
  });
}

/**
 * One desirable and one undesirable completion of every pair. The two sides of a pair are kept apart, so that a completion
 * that follows another in a batch belongs to another prompt also without shuffling: KTO's KL estimate needs that.
 */
function labelBoth(pairs: readonly TokenizedPair[]): TokenizedCompletion[] {
  const apart = Math.floor(pairs.length / 2);
  return pairs.flatMap((pair, i) => {
    const other = pairs[(i + apart) % pairs.length]!;
    return [
      { line: pair.line, prompt: pair.prompt, completion: pair.chosen, label: true },
      { line: other.line, prompt: other.prompt, completion: other.rejected, label: false },
    ];
  });
}

function summarize(
  { examples, training, dropped, read, truncated }: {
    examples: readonly (TokenizedPair | TokenizedCompletion)[];
    training: TrainingExample[];
    dropped: DropTally;
    read: DropTally;
    truncated: { prompt: number; completion: number };
  },
): LoadedRecords {
  const tallies = [read, dropped];
  return {
    examples: training,
    tokenized: examples,
    dropped: tallies.map(describeDropped).filter((text) => text !== "").join("\n"),
    droppedCount: tallies.flatMap((tally) => Object.values(tally)).reduce((sum, { count }) => sum + count, 0),
    truncated,
  };
}
