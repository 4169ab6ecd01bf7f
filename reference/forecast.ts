import { type RunLength, simulate } from "./simulate.ts";
import type { ReferenceStrategy } from "./strategy.ts";

export type { RunLength };

/**
 * Counts the updates a strategy will make in a run, one after the last step included.
 *
 * @returns The number; undefined for a strategy that decides on measurements, see {@linkcode countMostUpdates}.
 * @throws If the strategy looks at epochs and `stepsPerEpoch` is missing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { countUpdates, hard } from "@tr/align/reference";
 *
 * assertEquals(countUpdates(hard({ every: 512 }), { totalSteps: 478 }), 0);
 * ```
 */
export function countUpdates(strategy: ReferenceStrategy, run: RunLength): number | undefined {
  return strategy.trigger ? undefined : countMostUpdates(strategy, run);
}

/**
 * Counts the updates a strategy can make in a run at most: those it will make, or if it decides on measurements, those it
 * would make if every one of them was beyond the bound.
 *
 * @throws If the strategy looks at epochs and `stepsPerEpoch` is missing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { adaptive, countMostUpdates, countUpdates } from "@tr/align/reference";
 *
 * const strategy = adaptive({ measure: "kl", bound: 5, spacing: 16 });
 * assertEquals(countUpdates(strategy, { totalSteps: 100 }), undefined);
 * assertEquals(countMostUpdates(strategy, { totalSteps: 100 }), 6);
 * ```
 */
export function countMostUpdates(strategy: ReferenceStrategy, run: RunLength): number {
  return updateSteps(strategy, run).length;
}

/** How a measure reads beside its bound. */
const CROSSES = {
  kl: (bound: number) => `KL passes ${bound} nats`,
  margin: (bound: number) => `the margin passes ${bound}`,
  curvature: (bound: number) => `the curvature falls below ${bound}`,
} as const;

/**
 * Says in words how often a strategy will update in a run.
 *
 * @throws If the strategy looks at epochs and `stepsPerEpoch` is missing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { adaptive, describeUpdates, hard } from "@tr/align/reference";
 *
 * assertEquals(describeUpdates(hard({ every: 50 }), { totalSteps: 90 }), "1 update in this run");
 * assertEquals(
 *   describeUpdates(adaptive({ measure: "kl", bound: 5 }), { totalSteps: 90 }),
 *   "an update whenever KL passes 5 nats, at most 5 in this run",
 * );
 * ```
 */
export function describeUpdates(strategy: ReferenceStrategy, run: RunLength): string {
  const most = countMostUpdates(strategy, run);
  const { trigger } = strategy;
  if (!trigger) return `${most} update${most === 1 ? "" : "s"} in this run`;
  return `an update whenever ${CROSSES[trigger.measure](trigger.bound)}, at most ${most} in this run`;
}

/**
 * Computes by how many optimizer steps the reference trails the policy, averaged over the losses of a run.
 *
 * The policy is taken to move by one unit a step, so that a lag is the distance between the two; below 0 the reference is
 * ahead. For soft updates in a long run it is every (1 − α) / α + (every − 1) / 2: an update leaves 1 − α of the lag there
 * was, so in the steady state the lag right after one is L = (1 − α) (L + every), hence every (1 − α) / α; the losses until
 * the next update see L, L + 1, …, L + every − 1. With α 0.6 at every step that is 0.67.
 *
 * @returns The lag; for a strategy that decides on measurements the smallest it can have.
 * @throws If the strategy looks at epochs and `stepsPerEpoch` is missing.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { averageLag, soft } from "@tr/align/reference";
 *
 * assertAlmostEquals(averageLag(soft({ alpha: 0.6, every: 1 }), { totalSteps: 10_000 }), 2 / 3, 1e-3);
 * ```
 */
export function averageLag(strategy: ReferenceStrategy, run: RunLength): number {
  let lag = 0;
  let averaged = 0; // the lag of the average that `bias` strategies keep apart; for others that is the reference
  let total = 0;
  for (const { progress, alpha } of simulate(strategy, run)) {
    total += lag; // the loss of this step comes before the step and its update
    lag += 1;
    averaged = (1 - alpha) * (averaged + 1);
    if (alpha > 0) lag = averaged - (strategy.bias?.(progress) ?? 0) * progress.step;
  }
  return total / run.totalSteps;
}

/** α of each update that a strategy will make in a run, or can make at most, in order. */
export function updateAlphas(strategy: ReferenceStrategy, run: RunLength): number[] {
  return [...simulate(strategy, run)].flatMap(({ alpha }) => alpha > 0 ? [alpha] : []);
}

/** The steps of a run after which the reference moves, or can move at most. */
export function updateSteps(strategy: ReferenceStrategy, run: RunLength): number[] {
  return [...simulate(strategy, run)].flatMap(({ progress, alpha }) => alpha > 0 ? [progress.step] : []);
}
