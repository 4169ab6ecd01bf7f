import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { logSigmoid, maximum, multiply, negate, subtract } from "./expression.ts";
import { chosenLogRatio, logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { checkPositive } from "./options.ts";

/** Options of DPO-Positive. */
export interface DpopOptions extends DivergenceOptions {
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
 * @throws {RangeError} If β or λ is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { dpop, evaluatePaired } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * assertAlmostEquals(evaluatePaired(batch, dpop({ beta: 0.1 })).loss, Math.log1p(Math.exp(-0.3)));
 * ```
 */
export function dpop({ beta, lambda = 50, divergence }: DpopOptions): Loss {
  checkPositive(beta, "dpop: beta");
  checkPositive(lambda, "dpop: lambda");
  const penalty = multiply(lambda, maximum(0, negate(chosenLogRatio)));
  const margin = subtract(logRatioMargin(beta, divergence), multiply(beta, penalty));
  return defineLoss({
    name: "dpop",
    kind: "paired",
    expression: negate(logSigmoid(margin)),
    rewards: logRatioRewards(beta, divergence),
    margin,
  });
}
