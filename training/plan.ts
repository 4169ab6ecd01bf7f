/** What a run is going to compute, known before it starts: its batches and the shapes they are padded to. */
import { chooseShapes } from "../data/buckets.ts";
import { mismatchCompletions, type MismatchOptions, requireMismatch } from "../data/mismatch.ts";
import type { MixtureSource } from "../data/mixture.ts";
import { type BatchShape, type GroupSizes, measureGroups, type PackedGroup } from "../data/pack.ts";
import { createBatches, startOfData } from "../data/position.ts";
import { fitLengths } from "../data/truncate.ts";
import { type Examples, sizesOf } from "./examples.ts";
import { microBatches, type TrainingExample } from "./records.ts";

/** How records are cut into steps. */
export interface BatchPlanOptions {
  /** Optimizer steps of the run. */
  readonly steps: number;
  /** Records in a micro-batch. */
  readonly batchSize: number;
  /** Micro-batches in an optimizer step. */
  readonly accumulate: number;
  /** Seed of the order. */
  readonly seed: number;
  /** Whether each epoch has its own random order. */
  readonly shuffle: boolean;
  /** Draws from parts of the records by weight; null or absent takes them all. */
  readonly mixture?: readonly MixtureSource[] | null;
  /** How prompts with another record's completion are kept within length, for losses that need them. */
  readonly mismatch?: MismatchOptions;
}

/** The shapes of a run. */
export interface BatchPlan {
  /** Of training and evaluation batches. */
  readonly shapes: BatchShape[];
  /** Of batches of mismatched sequences; empty if there are none. */
  readonly mismatchedShapes: BatchShape[];
}

/** Prompt i with the completion of record i − 1 of the same step, for losses that estimate KL from them. */
export function mismatchedGroups(
  examples: readonly TrainingExample[],
  limits: MismatchOptions = {},
): PackedGroup[] {
  const completions = examples.map(({ line, prompt, completions: [completion] }) => ({
    line,
    prompt: Int32Array.from(prompt),
    completion: Int32Array.from(completion!),
  }));
  return mismatchCompletions(completions, limits).map(({ prompt, completion }) => ({
    prompt,
    completions: [completion],
  }));
}

/** The sizes of {@linkcode mismatchedGroups}, without their tokens. */
function mismatchedSizes(groups: readonly GroupSizes[], limits: MismatchOptions = {}): GroupSizes[] {
  requireMismatch(groups.length);
  return groups.map(({ prompt }, i) => {
    const { length } = groups.at(i - 1)!.completions[0]!;
    const kept = fitLengths({ prompt: prompt.length, completions: [length] }, limits);
    return { prompt: { length: kept.prompt }, completions: [{ length: kept.completions[0]! }] };
  });
}

/**
 * Walks through all batches of a run and chooses the shapes to compile. Only lengths are looked at.
 *
 * @param examples The training records.
 * @param options.evaluation Held-out records, evaluated in batches of `batchSize`.
 * @param options.mismatched Whether the loss needs mismatched sequences.
 */
export function planBatches(
  examples: Examples<GroupSizes>,
  options: BatchPlanOptions & { evaluation?: Examples<GroupSizes>; mismatched?: boolean },
): BatchPlan {
  const { steps, batchSize, accumulate, evaluation = [], mismatched = false, mismatch } = options;
  const takeBatch = createBatches({ ...options, count: examples.length, size: batchSize * accumulate });
  const heldOut = Array.from({ length: evaluation.length }, (_, i) => sizesOf(evaluation, i));
  const shapes: BatchShape[] = microBatches(heldOut, batchSize).map((batch) => measureGroups(batch));
  if (mismatched && evaluation.length > 0) {
    shapes.push(
      ...microBatches(mismatchedSizes(heldOut, mismatch), batchSize).map((batch) => measureGroups(batch)),
    );
  }
  const mismatchedShapes: BatchShape[] = [];
  let position = startOfData();
  for (let step = 1; step <= steps; step++) {
    const { indices, next } = takeBatch(position);
    position = next;
    const batch = Array.from(indices, (index) => sizesOf(examples, index));
    for (const micro of microBatches(batch, batchSize)) shapes.push(measureGroups(micro));
    if (!mismatched) continue;
    for (const micro of microBatches(mismatchedSizes(batch, mismatch), batchSize)) {
      mismatchedShapes.push(measureGroups(micro));
    }
  }
  return {
    shapes: chooseShapes(shapes),
    mismatchedShapes: mismatchedShapes.length > 0 ? chooseShapes(mismatchedShapes) : [],
  };
}

/** The length of the longest sequence of some groups, in tokens. */
export function longestSequence(groups: Examples<GroupSizes>): number {
  let longest = 0;
  for (let i = 0; i < groups.length; i++) {
    const { prompt, completions } = sizesOf(groups, i);
    longest = Math.max(longest, prompt.length + Math.max(...completions.map(({ length }) => length)));
  }
  return longest;
}
