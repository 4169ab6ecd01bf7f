/**
 * Records to token ids: boundary, BOS, EOS and truncation.
 *
 * @module
 */
import { encodeExchange, type Exchange } from "./encode_exchange.ts";
import type { PairedRecord, SftRecord, TrainingRecord, UnpairedRecord } from "./records.ts";
import { type DropReason, type DropTally, tallyDrop } from "./tally.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { cutPrompt, fitLengths, type LengthLimits, type PromptTruncation } from "./truncate.ts";

/** A preference pair in token ids; both completions have the same prompt, and none of the three is empty. */
export interface TokenizedPair {
  /** The record's line in its file, from 1. */
  line: number;
  /** The prompt's ids, BOS included. */
  prompt: Int32Array;
  /** The preferred completion's ids, EOS included unless it was cut. */
  chosen: Int32Array;
  /** The dispreferred completion's ids, EOS included unless it was cut. */
  rejected: Int32Array;
  /** The record's margin, if it has one. */
  margin?: number;
  /** How many tokens were cut from each part, by its name; absent if none were. */
  cut?: { prompt: number; chosen: number; rejected: number };
}

/** A prompt and one completion in token ids; neither is empty. */
export interface TokenizedCompletion {
  /** The record's line in its file, from 1. */
  line: number;
  /** The prompt's ids, BOS included. */
  prompt: Int32Array;
  /** The completion's ids, EOS included unless it was cut. */
  completion: Int32Array;
  /** Whether the completion is desirable; absent for demonstrations. */
  label?: boolean;
  /** How many tokens were cut from each part, by its name; absent if none were. */
  cut?: { prompt: number; completion: number };
}

/** How records become tokens. */
export interface TokenizeOptions extends LengthLimits {
  /** Which end of a prompt that is too long survives; default `keep_end`, with BOS kept at the front. */
  truncate?: PromptTruncation;
  /** Whether completions end with EOS; default true. Records of ids are always taken as they are. */
  addEos?: boolean;
  /** The records' file, for error messages; default `record`. */
  file?: string;
}

/** Examples ready to be batched, and what became of the other records. */
export interface Tokenized<E> {
  /** The examples in the order of their records. */
  examples: E[];
  /** Records that were left out. */
  dropped: DropTally;
  /** How many prompts and how many completions were cut; both sides of a pair count. */
  truncated: { prompt: number; completion: number };
}

/**
 * Tokenizes preference pairs.
 *
 * The prompt is the same sequence of tokens on both sides, also where tokens merge across its end; a prompt
 * that is too long is cut first, then completions at their ends; no completion is ever cut to nothing. A
 * record is dropped and counted if a completion has no token or none stands before it, if BOS occurs inside a
 * completion, or if the two sides are equal once cut.
 *
 * @param records in any form
 * @param tokenizer the policy's
 * @throws {Error} `pairs.jsonl:17: …` if a record can't be rendered or tokenized, or an id is not in the
 * vocabulary; an error that names the limit if a limit is too small
 *
 * @example
 * ```ts
 * import { loadTokenizer, tokenizePairs } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const vocab = { "<s>": 0, "</s>": 1, "2": 2, "+": 3, "=": 4, "4": 5, "5": 6 };
 * const tokenizer = loadTokenizer({
 *   tokenizerJson: {
 *     added_tokens: [{ id: 0, content: "<s>", special: true }, { id: 1, content: "</s>", special: true }],
 *     model: { type: "BPE", vocab, merges: [] },
 *   },
 *   tokenizerConfig: { bos_token: "<s>", eos_token: "</s>", add_bos_token: true },
 * });
 * const record = { kind: "paired", form: "text", line: 1, prompt: "2+2=", chosen: "4", rejected: "5" } as const;
 * const { examples } = tokenizePairs([record], tokenizer);
 * assertEquals(examples, [{
 *   line: 1,
 *   prompt: Int32Array.of(0, 2, 3, 2, 4),
 *   chosen: Int32Array.of(5, 1),
 *   rejected: Int32Array.of(6, 1),
 * }]);
 * ```
 */
export function tokenizePairs(
  records: Iterable<PairedRecord>,
  tokenizer: Tokenizer,
  options: TokenizeOptions = {},
): Tokenized<TokenizedPair> {
  return tokenizeAll(records, options, (record) => tokenizePair(record, tokenizer, options));
}

/**
 * Tokenizes labelled completions or demonstrations, as {@linkcode tokenizePairs} does pairs.
 *
 * Where a demonstration has no prompt and the tokenizer adds no BOS, its first token becomes the prompt, for
 * nothing comes before it from which it could be predicted.
 *
 * @throws {Error} as {@linkcode tokenizePairs}
 */
export function tokenizeCompletions(
  records: Iterable<UnpairedRecord | SftRecord>,
  tokenizer: Tokenizer,
  options: TokenizeOptions = {},
): Tokenized<TokenizedCompletion> {
  return tokenizeAll(records, options, (record) => tokenizeCompletion(record, tokenizer, options));
}

/**
 * Tokenizes one record of any kind, as {@linkcode tokenizePairs} and {@linkcode tokenizeCompletions} do.
 *
 * @returns the example, or why it can't be used
 */
export function tokenizeRecord(
  record: TrainingRecord,
  tokenizer: Tokenizer,
  options: TokenizeOptions = {},
): TokenizedPair | TokenizedCompletion | DropReason {
  return located(
    `${options.file ?? "record"}:${record.line}`,
    () =>
      record.kind === "paired"
        ? tokenizePair(record, tokenizer, options)
        : tokenizeCompletion(record, tokenizer, options),
  );
}

function tokenizePair(
  { line, form, prompt, chosen, rejected, variables, margin }: PairedRecord,
  tokenizer: Tokenizer,
  options: TokenizeOptions,
): TokenizedPair | DropReason {
  const exchange = {
    form,
    prompt,
    completions: [chosen, rejected],
    ...(variables && { variables }),
  } as Exchange;
  const fitted = encodeAndFit(exchange, tokenizer, options);
  if (typeof fitted === "string") return fitted;
  const [a, b] = fitted.completions as [Int32Array, Int32Array];
  if (fitted.isCut && isEqual(a, b)) return "chosen equals rejected once cut";
  const [cutChosen, cutRejected] = fitted.cut.completions as [number, number];
  const cut = { prompt: fitted.cut.prompt, chosen: cutChosen, rejected: cutRejected };
  return {
    line,
    prompt: fitted.prompt,
    chosen: a,
    rejected: b,
    ...(margin === undefined ? {} : { margin }),
    ...(fitted.isCut ? { cut } : {}),
  };
}

function tokenizeCompletion(
  record: UnpairedRecord | SftRecord,
  tokenizer: Tokenizer,
  options: TokenizeOptions,
): TokenizedCompletion | DropReason {
  const { kind, line, form, prompt, completion, variables } = record;
  const exchange = { form, prompt, completions: [completion], ...(variables && { variables }) } as Exchange;
  const fitted = encodeAndFit(exchange, tokenizer, { ...options, splitFirst: kind === "sft" });
  if (typeof fitted === "string") return fitted;
  return {
    line,
    prompt: fitted.prompt,
    completion: fitted.completions[0]!,
    ...(kind === "unpaired" ? { label: record.label } : {}),
    ...(fitted.isCut ? { cut: { prompt: fitted.cut.prompt, completion: fitted.cut.completions[0]! } } : {}),
  };
}

type WithCut = { cut?: { prompt: number; [part: string]: number } };

/** Adds an example's cuts to a count of cut prompts and completions; both sides of a pair count. */
export function countCuts(truncated: { prompt: number; completion: number }, example: WithCut): void {
  for (const [part, tokens] of Object.entries(example.cut ?? {})) {
    if (tokens > 0) truncated[part === "prompt" ? "prompt" : "completion"]++;
  }
}

function tokenizeAll<R extends { line: number }, E extends WithCut>(
  records: Iterable<R>,
  { file = "record" }: TokenizeOptions,
  tokenizeOne: (record: R) => E | DropReason,
): Tokenized<E> {
  const tokenized: Tokenized<E> = { examples: [], dropped: {}, truncated: { prompt: 0, completion: 0 } };
  for (const record of records) {
    const example = located(`${file}:${record.line}`, () => tokenizeOne(record));
    if (typeof example === "string") {
      tallyDrop(tokenized.dropped, example, record.line);
      continue;
    }
    tokenized.examples.push(example);
    countCuts(tokenized.truncated, example);
  }
  return tokenized;
}

function located<T>(where: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

interface Fitted {
  prompt: Int32Array;
  completions: Int32Array[];
  isCut: boolean;
  cut: { prompt: number; completions: number[] };
}

function encodeAndFit(
  exchange: Exchange,
  tokenizer: Tokenizer,
  { splitFirst = false, ...options }: TokenizeOptions & { splitFirst?: boolean },
): Fitted | DropReason {
  const { bosId, eosId } = tokenizer;
  let { prompt, completions } = encodeExchange(exchange, { tokenizer, addEos: options.addEos ?? true });
  if (splitFirst && prompt.length === 0) {
    prompt = completions[0]!.slice(0, 1);
    completions = [completions[0]!.slice(1)];
  }
  for (const ids of [prompt, ...completions]) requireKnown(ids, tokenizer);
  if (completions.some((completion) => completion.length === 0)) return "no token in the completion";
  if (prompt.length === 0) return "no token before the completion";
  if (bosId !== null && bosId !== eosId && completions.some((completion) => completion.includes(bosId))) {
    return "BOS inside the completion";
  }

  const lengths = { prompt: prompt.length, completions: completions.map((completion) => completion.length) };
  const kept = fitLengths(lengths, options);
  const cut = {
    prompt: lengths.prompt - kept.prompt,
    completions: lengths.completions.map((length, index) => length - kept.completions[index]!),
  };
  return {
    prompt: cutPrompt(prompt, { length: kept.prompt, truncate: options.truncate ?? "keep_end", bosId }),
    completions: completions.map((completion, index) => completion.slice(0, kept.completions[index])),
    isCut: cut.prompt > 0 || cut.completions.some((tokens) => tokens > 0),
    cut,
  };
}

function requireKnown(ids: Int32Array, { vocabularySize }: Tokenizer): void {
  const unknown = ids.find((id) => id < 0 || id >= vocabularySize);
  if (unknown !== undefined) {
    throw new Error(`token id ${unknown} is not in the vocabulary of ${vocabularySize} tokens`);
  }
}

function isEqual(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
