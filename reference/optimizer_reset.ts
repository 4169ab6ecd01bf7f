import { type ReferenceStrategy, varyStrategy } from "./strategy.ts";

/**
 * Lets the optimizer start anew whenever the strategy copies the policy into the reference.
 *
 * After an update with α = 1 both moments are zero and Adam's bias correction counts from 1 again, so that the first steps
 * against the new reference don't follow gradients of the old one. Liu et al. (ProRL), arXiv 2505.24864, reset reference
 * and optimizer together, in reinforcement learning. The learning rate goes on along its schedule: a reset in the middle of
 * a run makes the next step as large as the rate allows, in the direction of one gradient's signs.
 *
 * @throws {RangeError} If the strategy never copies.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { hard, soft, withOptimizerReset } from "@tr/align/reference";
 *
 * const strategy = withOptimizerReset(hard({ every: 128 }));
 * assertEquals(strategy.resetsOptimizer, true);
 * assertEquals(strategy({ step: 128, totalSteps: 500 }), 1);
 * assertThrows(() => withOptimizerReset(soft({ alpha: 0.6, every: 8 })), RangeError, "never copies");
 * ```
 */
export function withOptimizerReset(strategy: ReferenceStrategy): ReferenceStrategy {
  if (strategy.copies === false) {
    throw new RangeError(
      `withOptimizerReset: ${strategy.description.name} never copies the policy, so nothing would be reset; take alpha 1`,
    );
  }
  return varyStrategy(strategy, strategy, {
    description: { optimizer: "reset" },
    traits: { resetsOptimizer: true },
  });
}
