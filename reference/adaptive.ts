import { checkAlpha } from "./schedule.ts";
import {
  defineReferenceStrategy,
  MEASUREMENTS_SHOWN,
  type MeasureName,
  type Progress,
  type ReferenceStrategy,
} from "./strategy.ts";

/** Options of updates that come when a measure crosses a bound. */
export interface AdaptiveOptions {
  /** What is measured: `kl` and `margin` grow as the policy leaves the reference, `curvature` falls from ¼. */
  readonly measure: MeasureName;
  /** The update comes when the mean of the latest measurements is above it, or for curvature, below it. Above 0. */
  readonly bound: number;
  /** The fewest optimizer steps from one update to the next; 16 by default. */
  readonly spacing?: number;
  /** How many of the latest steps are averaged, up to 64, all of them after the last update; 4 by default. */
  readonly average?: number;
  /** α, the policy's share in the new reference, above 0 and at most 1; 1, the default, copies the policy. */
  readonly alpha?: number;
}

/** The largest curvature: σ(z)σ(−z) at z = 0. */
const LARGEST_CURVATURE = 0.25;

/**
 * Updates the reference when the policy has left it by more than a bound, so that the region of trust is a region and not
 * a clock.
 *
 * The measure is of a step's batch, against the current reference, averaged over the latest `average` steps to take out
 * the noise of batches: `kl`, the mean over completions of Σ KL(policy ‖ reference) in nats; `margin`, the mean reward
 * margin; `curvature`, the mean σ(z)σ(−z) of the margins z, which is what vanishes as DPO's loss saturates (Gorbatovski et
 * al., arXiv 2404.09656, section 3; β² times it is the loss's second derivative). The rule is this library's own.
 *
 * @throws {RangeError} If an option is out of range; a bound on the curvature must be below ¼, its value right after a copy.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { adaptive } from "@tr/align/reference";
 *
 * const strategy = adaptive({ measure: "kl", bound: 5, spacing: 8, average: 2 });
 * const measured = [{ step: 9, kl: 4.8 }, { step: 10, kl: 5.4 }];
 * assertEquals(strategy({ step: 14, totalSteps: 500, lastUpdate: 4, measured }), 1); // 5.1 on average
 * assertEquals(strategy({ step: 11, totalSteps: 500, lastUpdate: 4, measured }), 0); // too soon after step 4
 * ```
 */
export function adaptive(
  { measure, bound, spacing = 16, average = 4, alpha = 1 }: AdaptiveOptions,
): ReferenceStrategy {
  if (!(bound > 0 && bound < Infinity)) {
    throw new RangeError(`adaptive: bound must be a number above 0, got ${bound}`);
  }
  if (measure === "curvature" && bound >= LARGEST_CURVATURE) {
    throw new RangeError(
      `adaptive: bound must be below ${LARGEST_CURVATURE} for curvature, got ${bound}; curvature is never above that, so ` +
        "every step would update",
    );
  }
  if (!(Number.isInteger(spacing) && spacing >= 1)) {
    throw new RangeError(`adaptive: spacing must be a whole number of steps, at least 1, got ${spacing}`);
  }
  if (!(Number.isInteger(average) && average >= 1 && average <= MEASUREMENTS_SHOWN)) {
    throw new RangeError(
      `adaptive: average must be a whole number of steps from 1 to ${MEASUREMENTS_SHOWN}, got ${average}`,
    );
  }
  checkAlpha("adaptive", alpha);
  const value = ({ measured = [] }: Progress) => {
    const values = measured.flatMap((measurement) => measurement[measure] ?? []).slice(-average);
    if (values.length < average) return undefined;
    return values.reduce((sum, value) => sum + value, 0) / average;
  };
  const crosses = (value: number) => measure === "curvature" ? value < bound : value > bound;
  return defineReferenceStrategy(
    (progress) => {
      if (progress.step - (progress.lastUpdate ?? 0) < spacing) return 0;
      const current = value(progress);
      return current !== undefined && crosses(current) ? alpha : 0;
    },
    { name: "adaptive", measure, bound, spacing, average, alpha },
    { copies: alpha === 1, trigger: { measure, bound, value } },
  );
}
