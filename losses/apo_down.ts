import { defineLoss, type Loss } from "./definition.ts";
import { add, negate, sigmoid } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines APO-down: σ(β u_w) + 1 − σ(β (u_w − u_l)), u the log-ratio of policy and reference.
 *
 * It lowers both completions, the rejected one more, for policies better than the chosen completions. D'Oosterlinck
 * et al., "Anchored Preference Optimization and Contrastive Revisions", arXiv 2408.06266.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function apoDown({ beta }: BetaOptions): Loss {
  checkPositive(beta, "apoDown: beta");
  const rewards = logRatioRewards(beta);
  const margin = logRatioMargin(beta);
  return defineLoss({
    name: "apoDown",
    kind: "paired",
    expression: add(sigmoid(rewards.chosen), sigmoid(negate(margin))),
    rewards,
    margin,
  });
}
