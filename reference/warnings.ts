import { averageLag, updateSteps } from "./forecast.ts";
import type { RunLength } from "./simulate.ts";
import type { ReferenceStrategy } from "./strategy.ts";

/** Largest average lag, in steps, at which a reference counts as no reference. */
const DEGENERATE_LAG = 1;

/** Hard updates that a run should have room for. */
const FEWEST_UPDATES = 3;
const MOST_UPDATES = 8;

/**
 * Says what is doubtful about a strategy in a run of this length: one line a doubt, none if all is well.
 *
 * Doubtful are updates that never come, or only after the last step, and a reference that trails the policy by about a
 * step or less, which hardly regularizes. Of a strategy that decides on measurements it is only known before a run whether
 * it can update at all.
 *
 * @throws If the strategy looks at epochs and `stepsPerEpoch` is missing.
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
export function referenceWarnings(strategy: ReferenceStrategy, run: RunLength): string[] {
  const { name, ...parameters } = strategy.description;
  if (name === "frozen") return [];
  const settings = Object.entries(parameters).map(([key, value]) => `${key} ${value}`).join(", ");
  const subject = settings === "" ? `reference ${name}` : `reference ${name} (${settings})`;
  const { totalSteps } = run;
  const hasInterval = "every" in parameters;
  const hint = hasInterval && !("after" in parameters) && !("until" in parameters) ? advice(totalSteps) : "";

  const updates = updateSteps(strategy, run);
  if (updates.length === 0) {
    const never = strategy.trigger ? "can never update" : "never updates";
    return [`${subject} ${never} in this run of ${totalSteps} steps${hint}`];
  }
  if (updates[0] === totalSteps) {
    const only = strategy.trigger ? "can update only" : "updates only";
    return [`${subject} ${only} after the last of ${totalSteps} steps, where no loss sees it${hint}`];
  }
  if (strategy.trigger) return [];
  const lag = averageLag(strategy, run);
  if (lag > DEGENERATE_LAG) return [];
  const distance = lag < 0
    ? `is ahead of the policy by ${(-lag).toFixed(1)} steps on average: the loss pushes the policy back`
    : `trails the policy by only ${
      lag.toFixed(1)
    } steps on average: margins stay near 0 and hardly anything ` +
      "regularizes";
  return [`${subject} ${distance}; take a ${hasInterval ? "larger every or a " : ""}smaller alpha`];
}

/** The range of `every` that gives a run a good number of updates, as the end of a sentence. */
function advice(totalSteps: number): string {
  if (totalSteps < 2 * FEWEST_UPDATES) return "";
  const smallest = Math.floor(totalSteps / (MOST_UPDATES + 1)) + 1;
  const largest = Math.floor(totalSteps / FEWEST_UPDATES);
  const [most, fewest] = [Math.floor(totalSteps / smallest), Math.floor(totalSteps / largest)];
  return `; every from ${smallest} to ${largest} gives ${most} to ${fewest} updates`;
}
