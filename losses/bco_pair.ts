import { defineLoss, type Loss } from "./definition.ts";
import { add, logSigmoid, negate } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines BCO on pairs: −log σ(β u_w) − log σ(−β u_l), u the log-ratio of policy and reference.
 *
 * A classifier of single completions, whose logit is the reward. The paper also subtracts δ, a running mean of rewards,
 * from both; here δ is 0. Jung et al., "Binary Classifier Optimization for Large Language Model Alignment", arXiv
 * 2404.04656.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function bcoPair({ beta }: BetaOptions): Loss {
  checkPositive(beta, "bcoPair: beta");
  const rewards = logRatioRewards(beta);
  return defineLoss({
    name: "bcoPair",
    kind: "paired",
    expression: negate(add(logSigmoid(rewards.chosen), logSigmoid(negate(rewards.rejected)))),
    rewards,
    margin: logRatioMargin(beta),
  });
}
