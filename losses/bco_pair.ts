import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
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
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { bcoPair, evaluatePaired } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const logSigmoid = (x: number) => -Math.log1p(Math.exp(-x));
 * assertAlmostEquals(evaluatePaired(batch, bcoPair({ beta: 0.1 })).loss, -logSigmoid(0.2) - logSigmoid(0.1));
 * ```
 */
export function bcoPair({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "bcoPair: beta");
  const rewards = logRatioRewards(beta, divergence);
  return defineLoss({
    name: "bcoPair",
    kind: "paired",
    expression: negate(add(logSigmoid(rewards.chosen), logSigmoid(negate(rewards.rejected)))),
    rewards,
    margin: logRatioMargin(beta, divergence),
  });
}
