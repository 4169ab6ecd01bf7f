import { defineLoss, type Loss, record } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { divide, logSigmoid, multiply, negate, subtract } from "./expression.ts";
import { logRatioScores } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines length-normalized DPO: −log σ(β (u_w / n_w − u_l / n_l)), u the log-ratio of policy and reference and n the
 * completion's tokens.
 *
 * Means over tokens are small, so β is larger than DPO's: 5 in Lambert et al., "Tülu 3", arXiv 2411.15124.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, sigmoidNorm } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 *   lengths: { chosen: [4], rejected: [2] },
 * }; // log-ratios 2 and −1
 * assertAlmostEquals(evaluatePaired(batch, sigmoidNorm({ beta: 5 })).loss, Math.log1p(Math.exp(-5 * (2 / 4 + 1 / 2))));
 * ```
 */
export function sigmoidNorm({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "sigmoidNorm: beta");
  const scores = logRatioScores(divergence);
  const chosen = divide(scores.chosen, record.lengthChosen);
  const rejected = divide(scores.rejected, record.lengthRejected);
  const margin = multiply(beta, subtract(chosen, rejected));
  return defineLoss({
    name: "sigmoidNorm",
    kind: "paired",
    expression: negate(logSigmoid(margin)),
    rewards: { chosen: multiply(beta, chosen), rejected: multiply(beta, rejected) },
    margin,
  });
}
