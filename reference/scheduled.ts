import { checkEvery, isDue } from "./schedule.ts";
import { defineReferenceStrategy, type ReferenceStrategy } from "./strategy.ts";

/** Options of updates whose α changes over the run. */
export interface ScheduledOptions {
  /** α at the start of the run, from 0 to 1. */
  readonly alphaStart: number;
  /** α at its end, from 0 to 1. */
  readonly alphaEnd: number;
  /** How α goes from one to the other: along a line, or along half a cosine, slow at both ends. */
  readonly schedule: "linear" | "cosine";
  /** Optimizer steps from one update to the next. */
  readonly every: number;
}

/**
 * Soft updates whose α goes from one value to another over the run.
 *
 * After step t of T, α = α_start + (α_end − α_start) s(t / T) with s(x) = x or (1 − cos πx) / 2. A rising α lets the policy
 * off a leash that is short at first; a falling one settles the reference. Not from a paper: the sweep over fixed α of
 * Gorbatovski et al., arXiv 2404.09656, within one run.
 *
 * @throws {RangeError} If an α is not in [0, 1], both are the same, or `every` is not a whole number of at least 1.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { scheduled } from "@tr/align/reference";
 *
 * const strategy = scheduled({ alphaStart: 0.2, alphaEnd: 0.8, schedule: "linear", every: 50 });
 * const alphas = [50, 51, 100, 200].map((step) => strategy({ step, totalSteps: 200 }));
 * [0.35, 0, 0.5, 0.8].forEach((expected, i) => assertAlmostEquals(alphas[i]!, expected));
 * ```
 */
export function scheduled({ alphaStart, alphaEnd, schedule, every }: ScheduledOptions): ReferenceStrategy {
  for (const [name, alpha] of [["alphaStart", alphaStart], ["alphaEnd", alphaEnd]] as const) {
    if (alpha >= 0 && alpha <= 1) continue;
    throw new RangeError(`scheduled: ${name} must be from 0 to 1, got ${alpha}`);
  }
  if (alphaStart === alphaEnd) {
    throw new RangeError(
      `scheduled: alphaStart and alphaEnd are both ${alphaStart}; use soft({ alpha, every }) for a fixed alpha`,
    );
  }
  checkEvery("scheduled", every);
  const shape = (x: number) => schedule === "linear" ? x : (1 - Math.cos(Math.PI * x)) / 2;
  return defineReferenceStrategy(
    ({ step, totalSteps }) =>
      isDue(step, every) ? alphaStart + (alphaEnd - alphaStart) * shape(Math.min(1, step / totalSteps)) : 0,
    { name: "scheduled", alpha: `${alphaStart} to ${alphaEnd}`, schedule, every },
    { copies: false }, // but for a copy after the last step, which no loss sees
  );
}
