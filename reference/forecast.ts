import type { ReferenceStrategy } from "./strategy.ts";

/** Largest average lag, in steps, at which a reference counts as no reference. */
const DEGENERATE_LAG = 1;

/** Hard updates that a run should have room for. */
const FEWEST_UPDATES = 3;
const MOST_UPDATES = 8;

/** The run that a forecast is for. */
export interface RunLength {
  /** Optimizer steps of the whole run. */
  readonly totalSteps: number;
}

/**
 * Counts the updates a strategy will make in a run, one after the last step included.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { countUpdates, hard } from "@tr/align/reference";
 *
 * assertEquals(countUpdates(hard({ every: 512 }), { totalSteps: 478 }), 0);
 * ```
 */
export function countUpdates(strategy: ReferenceStrategy, { totalSteps }: RunLength): number {
  return updateSteps(strategy, totalSteps).length;
}

/**
 * Computes by how many optimizer steps the reference trails the policy, averaged over the losses of a run.
 *
 * The policy is taken to move by one unit a step, so that a lag is the distance between the two. For soft updates in a
 * long run it is every (1 − α) / α + (every − 1) / 2: an update leaves 1 − α of the lag there was, so in the steady state
 * the lag right after one is L = (1 − α) (L + every), hence every (1 − α) / α; the losses until the next update see L,
 * L + 1, …, L + every − 1. With α 0.6 at every step that is 0.67.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { averageLag, soft } from "@tr/align/reference";
 *
 * assertAlmostEquals(averageLag(soft({ alpha: 0.6, every: 1 }), { totalSteps: 10_000 }), 2 / 3, 1e-3);
 * ```
 */
export function averageLag(strategy: ReferenceStrategy, { totalSteps }: RunLength): number {
  let lag = 0;
  let total = 0;
  for (let step = 1; step <= totalSteps; step++) {
    total += lag; // the loss of this step comes before the step and its update
    lag = (1 - strategy({ step, totalSteps })) * (lag + 1);
  }
  return total / totalSteps;
}

/**
 * Says what is doubtful about a strategy in a run of this length: one line a doubt, none if all is well.
 *
 * Doubtful are updates that never come, or only after the last step, and a reference that trails the policy by about a
 * step or less, which hardly regularizes. For strategies that depend on progress alone.
 *
 * @example
 * ```ts
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 * import { hard, referenceWarnings } from "@tr/align/reference";
 *
 * const [warning] = referenceWarnings(hard({ every: 512 }), { totalSteps: 478 });
 * assertStringIncludes(warning!, "every from 54 to 159 gives 8 to 3 updates");
 * assertEquals(referenceWarnings(hard({ every: 128 }), { totalSteps: 478 }), []);
 * ```
 */
export function referenceWarnings(strategy: ReferenceStrategy, { totalSteps }: RunLength): string[] {
  const { name, ...parameters } = strategy.description;
  if (name === "frozen") return [];
  const settings = Object.entries(parameters).map(([key, value]) => `${key} ${value}`).join(", ");
  const subject = settings === "" ? `reference ${name}` : `reference ${name} (${settings})`;

  const updates = updateSteps(strategy, totalSteps);
  if (updates.length === 0) {
    return [`${subject} never updates in this run of ${totalSteps} steps${advice(totalSteps)}`];
  }
  if (updates[0] === totalSteps) {
    return [
      `${subject} updates only after the last of ${totalSteps} steps, where no loss sees it${
        advice(totalSteps)
      }`,
    ];
  }
  const lag = averageLag(strategy, { totalSteps });
  if (lag > DEGENERATE_LAG) return [];
  return [
    `${subject} trails the policy by only ${
      lag.toFixed(1)
    } steps on average: margins stay near 0 and hardly anything ` +
    `regularizes; take a larger every or a smaller alpha`,
  ];
}

/** α of each update that a strategy will make in a run, in order. */
export function updateAlphas(strategy: ReferenceStrategy, { totalSteps }: RunLength): number[] {
  return updateSteps(strategy, totalSteps).map((step) => strategy({ step, totalSteps }));
}

function updateSteps(strategy: ReferenceStrategy, totalSteps: number): number[] {
  const steps = Array.from({ length: totalSteps }, (_, index) => index + 1);
  return steps.filter((step) => strategy({ step, totalSteps }) > 0);
}

/** The range of `every` that gives a run a good number of updates, as the end of a sentence. */
function advice(totalSteps: number): string {
  if (totalSteps < 2 * FEWEST_UPDATES) return "";
  const smallest = Math.floor(totalSteps / (MOST_UPDATES + 1)) + 1;
  const largest = Math.floor(totalSteps / FEWEST_UPDATES);
  const [most, fewest] = [Math.floor(totalSteps / smallest), Math.floor(totalSteps / largest)];
  return `; every from ${smallest} to ${largest} gives ${most} to ${fewest} updates`;
}
