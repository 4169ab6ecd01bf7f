import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { add, negate, sigmoid } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines APO-down: σ(β u_w) + 1 − σ(β (u_w − u_l)), u the log-ratio of policy and reference.
 *
 * A divergence changes the second part alone. It lowers both completions, the rejected one more, for policies
 * better than the chosen completions. D'Oosterlinck et al., "Anchored Preference Optimization and Contrastive
 * Revisions", arXiv 2408.06266, equation 8.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { apoDown, evaluatePaired } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
 * assertAlmostEquals(evaluatePaired(batch, apoDown({ beta: 0.1 })).loss, sigmoid(0.2) + sigmoid(-0.3));
 * ```
 */
export function apoDown({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "apoDown: beta");
  const rewards = logRatioRewards(beta);
  const margin = logRatioMargin(beta, divergence);
  return defineLoss({
    name: "apoDown",
    kind: "paired",
    expression: add(sigmoid(rewards.chosen), sigmoid(negate(margin))),
    rewards,
    margin,
  });
}
