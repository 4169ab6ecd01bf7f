import { defineLoss, type Loss } from "./definition.ts";
import { add, logSigmoid, square, subtract } from "./expression.ts";
import { chosenLogRatio, logRatioMargin, logRatioRewards, rejectedLogRatio } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines Cal-DPO: −log σ(u_w − u_l) + (u_w − 1 / (2β))² + (u_l + 1 / (2β))², u the log-ratio of policy and reference.
 *
 * The squares give rewards a scale: they draw β u_w to ½ and β u_l to −½. The logarithm's margin has no β. Xiao et al.,
 * "Cal-DPO: Calibrated Direct Preference Optimization for Language Model Alignment", arXiv 2412.14516.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function calDpo({ beta }: BetaOptions): Loss {
  checkPositive(beta, "calDpo: beta");
  const target = 1 / (2 * beta);
  const calibration = add(square(subtract(chosenLogRatio, target)), square(add(rejectedLogRatio, target)));
  return defineLoss({
    name: "calDpo",
    kind: "paired",
    expression: subtract(calibration, logSigmoid(subtract(chosenLogRatio, rejectedLogRatio))),
    rewards: logRatioRewards(beta),
    margin: logRatioMargin(beta),
  });
}
