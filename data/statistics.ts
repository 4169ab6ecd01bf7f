/**
 * What tokenized records are like as a whole: lengths, duplicates, labels, special tokens.
 *
 * @module
 */
import { hashTokens } from "./hash_tokens.ts";
import type { TokenizedRecord } from "./token_store.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The parts of a record. */
export type RecordPart = "prompt" | "chosen" | "rejected" | "completion";

/** How the lengths of one part are distributed, in tokens before anything is cut. */
export interface LengthSummary {
  /** How many there are. */
  count: number;
  /** Their mean. */
  mean: number;
  /** Half of them are at most this long. */
  median: number;
  /** 90 % of them are at most this long. */
  p90: number;
  /** 99 % of them are at most this long. */
  p99: number;
  /** The longest. */
  longest: number;
  /**
   * How many of each length range `[from, to)`; ranges are equally wide, but for the last, which may have no
   * end.
   */
  histogram: { from: number; to: number; count: number }[];
}

/** How sequences begin and end. */
export interface SpecialTokens {
  /** Prompts by their number of BOS at the front; absent where the tokenizer has no BOS. */
  bos?: { [count: string]: number };
  /** Completions by the token at their end: a special token's text, or `none`. */
  end: { [token: string]: number };
  /** Completions in which EOS occurs before their end. */
  eosInside: number;
}

/** Records that occur more than once. */
export interface Duplicates {
  /** How many records repeat an earlier one in every token. */
  records: number;
  /** The lines of the first few of these. */
  lines: number[];
  /** How many records have a prompt that an earlier one has. */
  prompts: number;
  /** How many pairs have the same two completions as another one, but prefer the other. */
  contradictions: number;
}

/** What records are like as a whole. */
export interface RecordStatistics {
  /** How many there are. */
  records: number;
  /** Lengths of each part, and of prompt and longest completion together as `whole`. */
  lengths: { [part in RecordPart | "whole"]?: LengthSummary };
  /** How many tokens a pass over the records trains on, and how many it reads. */
  tokens: { completions: number; all: number };
  /** Beginnings and ends. */
  special: SpecialTokens;
  /** Repetitions. */
  duplicates: Duplicates;
  /** Labelled completions by label; absent where there are none. */
  labels?: { desirable: number; undesirable: number };
}

/** Ranges of a histogram, about. */
const RANGES = 10;
const LINES_KEPT = 5;

/**
 * Goes through records once and says what they are like as a whole.
 *
 * @param records as they were tokenized
 * @param tokenizer the one that did it
 */
export function summarizeRecords(
  records: Iterable<TokenizedRecord> & { readonly length: number },
  tokenizer: Pick<Tokenizer, "bosId" | "eosId" | "specialIds" | "tokenText">,
): RecordStatistics {
  const { bosId, eosId } = tokenizer;
  const lengths = new Map<RecordPart | "whole", number[]>();
  const special: SpecialTokens = { ...(bosId === null ? {} : { bos: {} }), end: {}, eosInside: 0 };
  const labels = { desirable: 0, undesirable: 0 };
  const tokens = { completions: 0, all: 0 };
  const hashes = {
    record: new Float64Array(records.length),
    prompt: new Float64Array(records.length),
    swapped: new Float64Array(records.length),
  };
  const lines = new Uint32Array(records.length);

  let i = 0;
  for (const record of records) {
    const { prompt } = record;
    const completions: [RecordPart, Int32Array][] = "chosen" in record
      ? [["chosen", record.chosen], ["rejected", record.rejected]]
      : [["completion", record.completion]];
    const cut: { [part: string]: number } = record.cut ?? {};
    const before = (part: RecordPart, ids: Int32Array) => ids.length + (cut[part] ?? 0);
    add("prompt", before("prompt", prompt));
    for (const [part, ids] of completions) add(part, before(part, ids));
    add("whole", before("prompt", prompt) + Math.max(...completions.map(([part, ids]) => before(part, ids))));

    if (special.bos) count(special.bos, countLeading(prompt, bosId!));
    for (const [, ids] of completions) {
      const last = ids.at(-1)!;
      count(special.end, tokenizer.specialIds.has(last) ? tokenizer.tokenText(last) : "none");
      if (eosId !== null && ids.subarray(0, -1).includes(eosId)) special.eosInside++;
      tokens.completions += ids.length;
    }
    tokens.all += prompt.length + completions.reduce((sum, [, ids]) => sum + ids.length, 0);
    if ("label" in record) labels[record.label ? "desirable" : "undesirable"]++;

    const sides = completions.map(([, ids]) => ids);
    hashes.prompt[i] = hashTokens([prompt]);
    hashes.record[i] = hashTokens([prompt, ...sides, [labelNumber(record)]]);
    hashes.swapped[i] = hashTokens([prompt, ...sides.toReversed(), [labelNumber(record)]]);
    lines[i++] = record.line;
  }
  const isPaired = lengths.has("chosen");
  return {
    records: records.length,
    lengths: Object.fromEntries([...lengths].map(([part, values]) => [part, summarizeLengths(values)])),
    tokens,
    special,
    duplicates: findDuplicates(hashes, { lines, isPaired }),
    ...(labels.desirable + labels.undesirable === 0 ? {} : { labels }),
  };

  function add(part: RecordPart | "whole", length: number): void {
    const values = lengths.get(part);
    if (values) values.push(length);
    else lengths.set(part, [length]);
  }
}

function count(counts: { [key: string]: number }, key: string | number): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

function countLeading(ids: Int32Array, id: number): number {
  let leading = 0;
  while (ids[leading] === id) leading++;
  return leading;
}

function labelNumber(record: TokenizedRecord): number {
  return "label" in record && record.label !== undefined ? 1 + Number(record.label) : 0;
}

/** Mean, quantiles and histogram of at least one length. */
export function summarizeLengths(values: readonly number[]): LengthSummary {
  const sorted = Uint32Array.from(values).sort();
  const quantile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  const longest = sorted.at(-1)!;
  // The few longest share the last range, or most of the others would be empty.
  const width = niceWidth(Math.max(quantile(0.99), 1) / RANGES);
  const histogram: LengthSummary["histogram"] = [];
  for (let from = 0, at = 0; at < sorted.length; from += width) {
    const isLast = histogram.length === RANGES;
    const to = isLast ? longest + 1 : from + width;
    const start = at;
    while (at < sorted.length && sorted[at]! < to) at++;
    histogram.push({ from, to, count: at - start });
  }
  return {
    count: sorted.length,
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    median: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
    longest,
    histogram,
  };
}

/** The least of 1, 2, 5, 10, 20, … that is at least `least`. */
function niceWidth(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((width) => width >= least)!;
}

function findDuplicates(
  hashes: { record: Float64Array; prompt: Float64Array; swapped: Float64Array },
  { lines, isPaired }: { lines: Uint32Array; isPaired: boolean },
): Duplicates {
  const seen = new Set<number>();
  const repeated: number[] = [];
  hashes.record.forEach((hash, i) => {
    if (seen.has(hash)) repeated.push(lines[i]!);
    seen.add(hash);
  });
  return {
    records: repeated.length,
    lines: repeated.slice(0, LINES_KEPT),
    prompts: hashes.prompt.length - new Set(hashes.prompt).size,
    contradictions: isPaired ? hashes.swapped.filter((hash) => seen.has(hash)).length : 0,
  };
}
