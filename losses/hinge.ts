import { defineLoss, type Loss } from "./definition.ts";
import { maximum, subtract } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines the hinge loss: max(0, 1 − β (u_w − u_l)), u the log-ratio of policy and reference.
 *
 * A pair whose log-ratios differ by more than 1 / β has no gradient. Zhao et al., "SLiC-HF", arXiv 2305.10425, with the log-ratios
 * of Liu et al., "Statistical Rejection Sampling Improves Preference Optimization", arXiv 2309.06657.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function hinge({ beta }: BetaOptions): Loss {
  checkPositive(beta, "hinge: beta");
  const margin = logRatioMargin(beta);
  return defineLoss({
    name: "hinge",
    kind: "paired",
    expression: maximum(subtract(1, margin), 0),
    rewards: logRatioRewards(beta),
    margin,
  });
}
