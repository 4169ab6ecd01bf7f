/**
 * Tokenized records in little memory: all token ids in one sequence of words, four numbers a record beside
 * it.
 *
 * @module
 */
import type { RecordKind } from "./records.ts";
import type { TokenizedCompletion, TokenizedPair } from "./tokenize.ts";

/** A record in token ids. */
export type TokenizedRecord = TokenizedPair | TokenizedCompletion;

/** How many tokens a record has. */
export interface TokenLengths {
  /** Of the prompt. */
  prompt: number;
  /** Of each completion: two of a pair, else one. */
  completions: number[];
}

/** Tokenized records of one kind; where they lie, in memory or in a file, is its maker's affair. */
export interface TokenStore {
  /** What the records are. */
  readonly kind: RecordKind;
  /** How many there are. */
  readonly length: number;
  /** A record's line in its file, from 1. */
  line(index: number): number;
  /** A record's lengths, which need no reading of tokens. */
  lengths(index: number): TokenLengths;
  /** A record's label; undefined where the kind has none. */
  label(index: number): boolean | undefined;
  /** A pair's margin; undefined where its record has none. */
  margin(index: number): number | undefined;
  /** The record itself. */
  at(index: number): TokenizedRecord;
}

/**
 * Numbers a record in the index: line, prompt tokens, completion tokens, and a second completion's or the
 * label.
 */
export const INDEX_WORDS = 4;
/** Words of a record that say how many tokens were cut from prompt, completion and second completion. */
const CUT_WORDS = 3;
/** Words after them: the margin as a float64, NaN for none. */
const MARGIN_WORDS = 2;
/** Words before a record's ids. */
const HEAD_WORDS = CUT_WORDS + MARGIN_WORDS;
/** Records between two offsets that are kept; those between are added up. */
const STRIDE = 64;

/** Where the words of records go. */
export type WordSink = (words: Int32Array) => void;

/** Takes down records one at a time. */
export interface TokenRecorder {
  /** Adds a record of the recorder's kind. */
  append(record: TokenizedRecord): void;
  /** The index so far, {@linkcode INDEX_WORDS} numbers a record. */
  index(): Uint32Array;
}

/** Starts to take down records whose words go to `sink`. */
export function createTokenRecorder(sink: WordSink): TokenRecorder {
  let index = new Uint32Array(1024 * INDEX_WORDS);
  let used = 0;
  return {
    append(record) {
      const { line, prompt } = record;
      const cut: { [part: string]: number } = record.cut ?? {};
      const isPair = "chosen" in record;
      const first = isPair ? record.chosen : record.completion;
      const second = isPair ? record.rejected : new Int32Array(0);
      const words = new Int32Array(HEAD_WORDS + prompt.length + first.length + second.length);
      words.set([cut["prompt"] ?? 0, cut[isPair ? "chosen" : "completion"] ?? 0, cut["rejected"] ?? 0]);
      words.set(marginWords(isPair ? record.margin : undefined), CUT_WORDS);
      words.set(prompt, HEAD_WORDS);
      words.set(first, HEAD_WORDS + prompt.length);
      words.set(second, HEAD_WORDS + prompt.length + first.length);
      sink(words);
      if (used === index.length) {
        const larger = new Uint32Array(index.length * 2);
        larger.set(index);
        index = larger;
      }
      const last = isPair ? second.length : record.label === true ? 1 : 0;
      index.set([line, prompt.length, first.length, last], used);
      used += INDEX_WORDS;
    },
    index: () => index.slice(0, used),
  };
}

/**
 * Opens what a {@linkcode TokenRecorder} took down.
 *
 * @param options `index`: the recorder's; `readWords`: gives so many words from a place on
 */
export function createTokenStore(
  { kind, index, readWords }: {
    kind: RecordKind;
    index: Uint32Array;
    readWords: (start: number, count: number) => Int32Array;
  },
): TokenStore {
  const length = index.length / INDEX_WORDS;
  const isPair = kind === "paired";
  const word = (record: number, column: number) => index[record * INDEX_WORDS + column]!;
  const wordsOf = (record: number) =>
    HEAD_WORDS + word(record, 1) + word(record, 2) + (isPair ? word(record, 3) : 0);
  const starts = new Float64Array(Math.ceil(length / STRIDE));
  for (let record = 0, start = 0; record < length; record++) {
    if (record % STRIDE === 0) starts[record / STRIDE] = start;
    start += wordsOf(record);
  }

  function startOf(record: number): number {
    let start = starts[Math.floor(record / STRIDE)]!;
    for (let before = record - record % STRIDE; before < record; before++) start += wordsOf(before);
    return start;
  }

  function marginOf(record: number): number | undefined {
    if (!isPair) return undefined;
    return marginFrom(readWords(startOf(record) + CUT_WORDS, MARGIN_WORDS));
  }

  const label = (record: number) => kind === "unpaired" ? word(record, 3) === 1 : undefined;
  return {
    kind,
    length,
    line: (record) => word(record, 0),
    lengths: (record) => ({
      prompt: word(record, 1),
      completions: isPair ? [word(record, 2), word(record, 3)] : [word(record, 2)],
    }),
    label,
    margin: marginOf,
    at(record) {
      if (!(record >= 0 && record < length)) {
        throw new RangeError(`TokenStore: no record ${record} of ${length}`);
      }
      const words = readWords(startOf(record), wordsOf(record));
      const line = word(record, 0);
      const firstStart = HEAD_WORDS + word(record, 1);
      const secondStart = firstStart + word(record, 2);
      const prompt = words.slice(HEAD_WORDS, firstStart);
      const first = words.slice(firstStart, secondStart);
      const [cutPrompt, cutFirst, cutSecond] = words as unknown as [number, number, number];
      const isCut = cutPrompt + cutFirst + cutSecond > 0;
      if (isPair) {
        const cut = isCut ? { cut: { prompt: cutPrompt, chosen: cutFirst, rejected: cutSecond } } : {};
        const margin = marginFrom(words.subarray(CUT_WORDS, HEAD_WORDS));
        const given = margin === undefined ? {} : { margin };
        return { line, prompt, chosen: first, rejected: words.slice(secondStart), ...given, ...cut };
      }
      const cut = isCut ? { cut: { prompt: cutPrompt, completion: cutFirst } } : {};
      const given = label(record);
      return { line, prompt, completion: first, ...(given === undefined ? {} : { label: given }), ...cut };
    },
  };
}

function marginWords(margin = NaN): Int32Array {
  return new Int32Array(Float64Array.of(margin).buffer);
}

function marginFrom(words: Int32Array): number | undefined {
  const [margin] = new Float64Array(Int32Array.from(words).buffer);
  return Number.isNaN(margin) ? undefined : margin;
}

/** Words in memory, in pieces so that they never have to be copied as they grow. */
export function createWordMemory(): {
  write: WordSink;
  readWords: (start: number, count: number) => Int32Array;
} {
  const PIECE = 1 << 18;
  const pieces: Int32Array[] = [];
  let used = 0;

  function* ranges(start: number, count: number): Generator<{ piece: number; from: number; to: number }> {
    for (let at = start; at < start + count;) {
      const from = at % PIECE;
      const to = Math.min(PIECE, from + start + count - at);
      yield { piece: Math.floor(at / PIECE), from, to };
      at += to - from;
    }
  }

  return {
    write(words) {
      let taken = 0;
      for (const { piece, from, to } of ranges(used, words.length)) {
        const target = pieces[piece] ??= new Int32Array(PIECE);
        target.set(words.subarray(taken, taken + to - from), from);
        taken += to - from;
      }
      used += words.length;
    },
    readWords(start, count) {
      const words = new Int32Array(count);
      let taken = 0;
      for (const { piece, from, to } of ranges(start, count)) {
        words.set(pieces[piece]!.subarray(from, to), taken);
        taken += to - from;
      }
      return words;
    },
  };
}
