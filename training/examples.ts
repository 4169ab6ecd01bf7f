/** Examples of a run, wherever their tokens lie: views of tokenized files as the loss takes their records. */
import type { GroupSizes, PackedGroup } from "../data/pack.ts";
import type { TokenizedCompletion, TokenizedPair } from "../data/tokenize.ts";
import type { TokenizedRecord, TokenStore } from "../data/token_store.ts";
import { completionExamples, pairExamples, type TrainingExample } from "./records.ts";

/**
 * Examples by index; an array is one, and one that reads each example from a file when it is asked for
 * another.
 */
export interface Examples<E = TrainingExample> extends Iterable<E> {
  /** How many there are. */
  readonly length: number;
  /** The example at an index. */
  at(index: number): E | undefined;
  /** Its lengths, if they can be had without its tokens. */
  sizes?(index: number): GroupSizes;
}

/** How a loss takes pairs: whole, as two labelled completions, or as a demonstration of the chosen one. */
export type PairUse = "pair" | "both" | "chosen";

/** A file's records, or some of them, and how they are taken. */
export interface ExamplePart {
  /** The file's name for messages; absent where there is only one file. */
  readonly file?: string;
  /** Its records. */
  readonly store: TokenStore;
  /** The records to take, by index; absent for all. */
  readonly records?: Uint32Array;
  /** How pairs are taken. */
  readonly use: PairUse;
}

/** Examples with the tokenized records that they come from. */
export interface ExampleView {
  /** As the engine takes them. */
  readonly examples: Examples;
  /** As they were tokenized, to be shown: record i is example i. */
  readonly tokenized: Examples<TokenizedRecord>;
}

/** The lengths of an example. */
export function sizesOf(examples: Examples<GroupSizes>, index: number): GroupSizes {
  return examples.sizes?.(index) ?? examples.at(index)!;
}

/** The examples in batches of at most `size`, each read when it is asked for. */
export function* batchesOf<E extends PackedGroup>(examples: Examples<E>, size: number): Generator<E[]> {
  for (let start = 0; start < examples.length; start += size) {
    const count = Math.min(size, examples.length - start);
    yield Array.from({ length: count }, (_, i) => examples.at(start + i)!);
  }
}

/** How many examples a part makes. */
export function countExamples({ store, records, use }: ExamplePart): number {
  return (records?.length ?? store.length) * (store.kind === "paired" && use === "both" ? 2 : 1);
}

/** The parts' examples, one part after the other. */
export function viewExamples(parts: readonly ExamplePart[]): ExampleView {
  const starts = [0];
  for (const part of parts) starts.push(starts.at(-1)! + countExamples(part));
  const length = starts.at(-1)!;

  function find(index: number): { part: ExamplePart; place: ReturnType<typeof locate> } | undefined {
    if (!(index >= 0 && index < length)) return undefined;
    const which = starts.findLastIndex((start) => start <= index);
    return { part: parts[which]!, place: locate(parts[which]!, index - starts[which]!) };
  }
  function record(index: number): TokenizedRecord | undefined {
    const found = find(index);
    return found && takeSide(found.part.store.at(found.place.record), found.place.side);
  }

  function example(index: number): TrainingExample | undefined {
    const tokenized = record(index);
    return tokenized && toExample(tokenized, find(index)!.part.file);
  }
  function sizes(index: number): GroupSizes {
    const { part, place } = find(index)!;
    const { prompt, completions } = part.store.lengths(place.record);
    const taken = place.side === "all" ? completions : [completions[place.side === "undesirable" ? 1 : 0]!];
    return { prompt: { length: prompt }, completions: taken.map((length) => ({ length })) };
  }
  return { examples: listOf(length, example, sizes), tokenized: listOf(length, record) };
}

/** Examples from a function of their index. */
export function listOf<E>(
  length: number,
  at: (index: number) => E | undefined,
  sizes?: (index: number) => GroupSizes,
): Examples<E> {
  return {
    length,
    at: (index) => index < length ? at(index) : undefined,
    ...(sizes ? { sizes } : {}),
    *[Symbol.iterator]() {
      for (let i = 0; i < length; i++) yield at(i)!;
    },
  };
}

/**
 * What of a record an example takes: all of it, or one side of a pair, with its label or as a demonstration.
 */
type Side = "all" | "chosen" | "desirable" | "undesirable";

/**
 * The record and the side of it that a part's example is.
 *
 * Where a pair becomes two examples, its sides are kept apart, so that a completion that follows another in
 * a batch belongs to another prompt also without shuffling: KTO's KL estimate needs that.
 */
function locate({ store, records, use }: ExamplePart, index: number): { record: number; side: Side } {
  const count = records?.length ?? store.length;
  const at = (place: number) => records?.[place] ?? place;
  if (store.kind !== "paired" || use === "pair") return { record: at(index), side: "all" };
  if (use === "chosen") return { record: at(index), side: "chosen" };
  const pair = Math.floor(index / 2);
  if (index % 2 === 0) return { record: at(pair), side: "desirable" };
  return { record: at((pair + Math.floor(count / 2)) % count), side: "undesirable" };
}

function takeSide(record: TokenizedRecord, side: Side): TokenizedRecord {
  if (side === "all" || !("chosen" in record)) return record;
  const { line, prompt, chosen, rejected } = record;
  if (side === "undesirable") return { line, prompt, completion: rejected, label: false };
  return { line, prompt, completion: chosen, ...(side === "desirable" ? { label: true } : {}) };
}

function toExample(record: TokenizedRecord, file: string | undefined): TrainingExample {
  const [example] = "chosen" in record
    ? pairExamples([record as TokenizedPair])
    : completionExamples([record as TokenizedCompletion]);
  return file === undefined ? example! : { ...example!, file };
}
