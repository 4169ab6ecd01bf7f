/** What is trained on: tokenized records of one kind as groups of sequences, in micro-batches. */
import type { PackedGroup } from "../data/pack.ts";
import type { TokenizedCompletion, TokenizedPair } from "../data/tokenize.ts";

/** A record as the engine takes it. */
export interface TrainingExample extends PackedGroup {
  /** The record's line in its file, for messages. */
  readonly line: number;
  /** The file, where a run has several. */
  readonly file?: string;
  /** 1 for a desirable completion and for pairs, 0 for an undesirable one. */
  readonly label: number;
  /** The margin of a pair whose record has one. */
  readonly margin?: number;
}

/** Pairs: the chosen completion, then the rejected one. */
export function pairExamples(pairs: readonly TokenizedPair[]): TrainingExample[] {
  return pairs.map(({ line, prompt, chosen, rejected, margin }) => ({
    line,
    prompt,
    completions: [chosen, rejected],
    label: 1,
    ...(margin === undefined ? {} : { margin }),
  }));
}

/** Single completions, labelled or to be imitated. */
export function completionExamples(completions: readonly TokenizedCompletion[]): TrainingExample[] {
  return completions.map(({ line, prompt, completion, label }) => ({
    line,
    prompt,
    completions: [completion],
    label: label === false ? 0 : 1,
  }));
}

/** What the data says of each record: its label and, if all have one, its margin. */
export function recordMarks(
  examples: readonly TrainingExample[],
): { labels: Float32Array; margins?: Float32Array } {
  const labels = Float32Array.from(examples, ({ label }) => label);
  if (examples.some(({ margin }) => margin === undefined)) return { labels };
  return { labels, margins: Float32Array.from(examples, ({ margin }) => margin!) };
}

/** Tokens of the first completion of each record, which token-wise losses divide by. */
export function chosenTokens(examples: readonly TrainingExample[]): number {
  return examples.reduce((sum, { completions }) => sum + completions[0]!.length, 0);
}

/** Tokens of prompts and completions, each prompt counted once. */
export function countTokens(examples: readonly TrainingExample[]): number {
  return examples.reduce(
    (sum, { prompt, completions }) =>
      completions.reduce((total, { length }) => total + length, sum + prompt.length),
    0,
  );
}

/** Cuts a step's records into micro-batches of at most `size`. */
export function microBatches<T>(examples: readonly T[], size: number): T[][] {
  return Array.from(
    { length: Math.ceil(examples.length / size) },
    (_, i) => examples.slice(i * size, (i + 1) * size),
  );
}
