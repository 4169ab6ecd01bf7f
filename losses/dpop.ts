import { defineLoss, type Loss } from "./definition.ts";
import { logSigmoid, maximum, multiply, negate, subtract } from "./expression.ts";
import { chosenLogRatio, logRatioRewards, rejectedLogRatio } from "./log_ratio.ts";
import { checkPositive } from "./options.ts";

/** Options of DPO-Positive. */
export interface DpopOptions {
  /** β, the weight of the KL penalty. */
  readonly beta: number;
  /** λ, the weight of the penalty on chosen completions that sink below the reference; above 0. Default 50. */
  readonly lambda?: number;
}

/**
 * Defines DPO-Positive: −log σ(β (u_w − u_l − λ max(0, −u_w))), u the log-ratio of policy and reference.
 *
 * The penalty keeps the chosen completion as likely as under the reference; it has no gradient where u_w is 0, as in
 * the first step. Pal et al., "Smaug: Fixing Failure Modes of Preference Optimisation with DPO-Positive", arXiv
 * 2402.13228, equation 3.
 *
 * @throws {RangeError} If β or λ is not above 0.
 */
export function dpop({ beta, lambda = 50 }: DpopOptions): Loss {
  checkPositive(beta, "dpop: beta");
  checkPositive(lambda, "dpop: lambda");
  const penalty = multiply(lambda, maximum(0, negate(chosenLogRatio)));
  const margin = multiply(beta, subtract(subtract(chosenLogRatio, rejectedLogRatio), penalty));
  return defineLoss({
    name: "dpop",
    kind: "paired",
    expression: negate(logSigmoid(margin)),
    rewards: logRatioRewards(beta),
    margin,
  });
}
