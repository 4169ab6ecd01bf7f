import { checkEvery, isDue, refuseCopyEveryStep } from "./schedule.ts";
import { defineReferenceStrategy, type ReferenceStrategy } from "./strategy.ts";

/** Options of hard updates. */
export interface HardOptions {
  /** τ, optimizer steps from one update to the next; 3 to 8 updates in a run are a good number. */
  readonly every: number;
}

/**
 * Copies the policy into the reference after every `every`-th optimizer step.
 *
 * θ_ref ← θ; Gorbatovski et al., arXiv 2404.09656, the superscript-τ methods (τ = 512 recommended, for runs that have
 * room for it). Never at step 0.
 *
 * @throws {RangeError} If `every` is not a whole number of at least 2.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { countUpdates, hard } from "@tr/align/reference";
 *
 * const strategy = hard({ every: 128 });
 * assertEquals(strategy({ step: 128, totalSteps: 500 }), 1);
 * assertEquals(countUpdates(strategy, { totalSteps: 500 }), 3);
 * ```
 */
export function hard({ every }: HardOptions): ReferenceStrategy {
  checkEvery("hard", every);
  if (every === 1) refuseCopyEveryStep("hard: every 1");
  return defineReferenceStrategy(({ step }) => isDue(step, every) ? 1 : 0, { name: "hard", every });
}
