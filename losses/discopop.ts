import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { divide, exp, logSigmoid, multiply, negate, sigmoid, subtract } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { checkPositive } from "./options.ts";

/** Options of DiscoPOP. */
export interface DiscopopOptions extends DivergenceOptions {
  /** β, the weight of the KL penalty. */
  readonly beta: number;
  /** τ, how widely the two losses overlap, above 0 and at most 1. Default 0.05. */
  readonly tau?: number;
}

/**
 * Defines DiscoPOP: −(1 − σ(z / τ)) log σ(z) + σ(z / τ) e^(−z) with z = β (u_w − u_l), u the log-ratio of policy and
 * reference.
 *
 * Logistic where the pair is ordered wrongly, exponential where it is ordered rightly. Lu et al., "Discovering Preference
 * Optimization Algorithms with and for Large Language Models", arXiv 2406.08414, equation 5.
 *
 * @throws {RangeError} If β is not above 0 or τ not above 0 and at most 1, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { discopop, evaluatePaired } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
 * const logSigmoid = (x: number) => -Math.log1p(Math.exp(-x));
 * const expected = -sigmoid(-6) * logSigmoid(0.3) + sigmoid(6) * Math.exp(-0.3);
 * assertAlmostEquals(evaluatePaired(batch, discopop({ beta: 0.1 })).loss, expected);
 * ```
 */
export function discopop({ beta, tau = 0.05, divergence }: DiscopopOptions): Loss {
  checkPositive(beta, "discopop: beta");
  if (!(tau > 0 && tau <= 1)) {
    throw new RangeError(`discopop: tau must be above 0 and at most 1, got ${tau}`);
  }
  const margin = logRatioMargin(beta, divergence);
  const scaled = divide(margin, tau);
  const logistic = multiply(sigmoid(negate(scaled)), logSigmoid(margin));
  // One exponential: e^(−z) alone overflows where σ(z / τ) vanishes. With τ ≤ 1 the exponent is at most 0 for z ≥ 0
  // and for z ≤ 0 alike.
  const exponential = exp(subtract(logSigmoid(scaled), margin));
  return defineLoss({
    name: "discopop",
    kind: "paired",
    expression: subtract(exponential, logistic),
    rewards: logRatioRewards(beta, divergence),
    margin,
  });
}
