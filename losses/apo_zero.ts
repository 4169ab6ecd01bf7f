import { defineLoss, type Loss } from "./definition.ts";
import { add, negate, sigmoid } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines APO-zero: 1 − σ(β u_w) + σ(β u_l), u the log-ratio of policy and reference.
 *
 * It raises the chosen completions and lowers the rejected ones, for policies worse than the chosen
 * completions. D'Oosterlinck et al., "Anchored Preference Optimization and Contrastive Revisions", arXiv
 * 2408.06266, equation 7.
 *
 * @throws {RangeError} If β is not above 0.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { apoZero, evaluatePaired } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
 * assertAlmostEquals(evaluatePaired(batch, apoZero({ beta: 0.1 })).loss, sigmoid(-0.2) + sigmoid(-0.1));
 * ```
 */
export function apoZero({ beta }: BetaOptions): Loss {
  checkPositive(beta, "apoZero: beta");
  const rewards = logRatioRewards(beta);
  return defineLoss({
    name: "apoZero",
    kind: "paired",
    expression: add(sigmoid(negate(rewards.chosen)), sigmoid(rewards.rejected)),
    rewards,
    margin: logRatioMargin(beta),
  });
}
