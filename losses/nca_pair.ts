import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { add, logSigmoid, multiply, negate } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines NCA on pairs: −log σ(β u_w) − ½ log σ(−β u_w) − ½ log σ(−β u_l), u the log-ratio of policy and reference.
 *
 * It looks at each completion's own reward, so that the chosen one's does not sink along with the rejected one's. Chen
 * et al., "Noise Contrastive Alignment of Language Models with Explicit Rewards", arXiv 2402.05369.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, ncaPair } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const logSigmoid = (x: number) => -Math.log1p(Math.exp(-x));
 * const expected = -logSigmoid(0.2) - (logSigmoid(-0.2) + logSigmoid(0.1)) / 2;
 * assertAlmostEquals(evaluatePaired(batch, ncaPair({ beta: 0.1 })).loss, expected);
 * ```
 */
export function ncaPair({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "ncaPair: beta");
  const rewards = logRatioRewards(beta, divergence);
  const noise = add(logSigmoid(negate(rewards.chosen)), logSigmoid(negate(rewards.rejected)));
  return defineLoss({
    name: "ncaPair",
    kind: "paired",
    expression: negate(add(logSigmoid(rewards.chosen), multiply(0.5, noise))),
    rewards,
    margin: logRatioMargin(beta, divergence),
  });
}
