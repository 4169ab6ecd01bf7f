import { defineLoss, type Loss, record } from "./definition.ts";
import { divide, logSigmoid, multiply, negate, subtract } from "./expression.ts";
import { chosenLogRatio, rejectedLogRatio } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines length-normalized DPO: −log σ(β (u_w / n_w − u_l / n_l)), u the log-ratio of policy and reference and n the
 * completion's tokens.
 *
 * Means over tokens are small, so β is larger than DPO's: 5 in Lambert et al., "Tülu 3", arXiv 2411.15124.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function sigmoidNorm({ beta }: BetaOptions): Loss {
  checkPositive(beta, "sigmoidNorm: beta");
  const chosen = divide(chosenLogRatio, record.lengthChosen);
  const rejected = divide(rejectedLogRatio, record.lengthRejected);
  const margin = multiply(beta, subtract(chosen, rejected));
  return defineLoss({
    name: "sigmoidNorm",
    kind: "paired",
    expression: negate(logSigmoid(margin)),
    rewards: { chosen: multiply(beta, chosen), rejected: multiply(beta, rejected) },
    margin,
  });
}
