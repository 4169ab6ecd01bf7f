import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { add, logSigmoid, square, subtract } from "./expression.ts";
import {
  chosenLogRatio,
  logRatioMargin,
  logRatioRewards,
  logRatioScores,
  rejectedLogRatio,
} from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines Cal-DPO: −log σ(u_w − u_l) + (u_w − 1 / (2β))² + (u_l + 1 / (2β))², u the log-ratio of policy and reference.
 *
 * The squares give rewards a scale: they draw β u_w to ½ and β u_l to −½. The logarithm's margin has no β,
 * and alone has the divergence's scores. Xiao et al.,
 * "Cal-DPO: Calibrated Direct Preference Optimization for Language Model Alignment", arXiv 2412.14516.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { calDpo, evaluatePaired } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const logSigmoid = (x: number) => -Math.log1p(Math.exp(-x));
 * assertAlmostEquals(evaluatePaired(batch, calDpo({ beta: 0.1 })).loss, (2 - 5) ** 2 + (-1 + 5) ** 2 - logSigmoid(3));
 * ```
 */
export function calDpo({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "calDpo: beta");
  const { chosen, rejected } = logRatioScores(divergence);
  const target = 1 / (2 * beta);
  const calibration = add(square(subtract(chosenLogRatio, target)), square(add(rejectedLogRatio, target)));
  return defineLoss({
    name: "calDpo",
    kind: "paired",
    expression: subtract(calibration, logSigmoid(subtract(chosen, rejected))),
    rewards: logRatioRewards(beta, divergence),
    margin: logRatioMargin(beta, divergence),
  });
}
