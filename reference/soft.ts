import { checkAlpha, checkEvery, isDue, refuseCopyEveryStep } from "./schedule.ts";
import { defineReferenceStrategy, type ReferenceStrategy } from "./strategy.ts";

/** Options of soft updates. */
export interface SoftOptions {
  /** α, the policy's share in the new reference, above 0 and at most 1; the paper recommends 0.5 to 0.6. */
  readonly alpha: number;
  /** Optimizer steps from one update to the next. */
  readonly every: number;
}

/**
 * Mixes a share of the policy into the reference after every `every`-th optimizer step.
 *
 * θ_ref ← α θ + (1 − α) θ_ref; Gorbatovski et al., arXiv 2404.09656, the superscript-α methods. Never at step 0.
 *
 * @throws {RangeError} If α is not in (0, 1], `every` is not a whole number of at least 1, or both are 1.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { soft } from "@tr/align/reference";
 *
 * const strategy = soft({ alpha: 0.6, every: 64 });
 * assertEquals(strategy({ step: 63, totalSteps: 500 }), 0);
 * assertEquals(strategy({ step: 64, totalSteps: 500 }), 0.6);
 * ```
 */
export function soft({ alpha, every }: SoftOptions): ReferenceStrategy {
  checkAlpha("soft", alpha);
  checkEvery("soft", every);
  if (alpha === 1 && every === 1) refuseCopyEveryStep("soft: alpha 1 with every 1");
  return defineReferenceStrategy(
    ({ step }) => isDue(step, every) ? alpha : 0,
    { name: "soft", alpha, every },
    { copies: alpha === 1 },
  );
}
