import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { add, logSigmoid, multiply, negate, sigmoid, subtract } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { checkPositive, checkSmoothedLabels } from "./options.ts";

/** Options of EXO on pairs. */
export interface ExoPairOptions extends DivergenceOptions {
  /** β, the weight of the KL penalty. */
  readonly beta: number;
  /** ε, the probability that a pair's labels are swapped, above 0 and below 0.5. Default 0.001. */
  readonly labelSmoothing?: number;
}

/**
 * Defines EXO on pairs: σ(z) (log σ(z) − log(1 − ε)) + σ(−z) (log σ(−z) − log ε) with z = β (u_w − u_l), u the
 * log-ratio of policy and reference.
 *
 * It is the reverse KL divergence from the policy's preference σ(z) to the labels' 1 − ε, so it is least where they
 * are equal. Ji et al., "Towards Efficient Exact Optimization of Language Model Alignment", arXiv 2402.00856,
 * equation 16.
 *
 * @throws {RangeError} If β is not above 0 or ε not above 0 and below 0.5, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, exoPair } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
 * const [won, lost] = [sigmoid(0.3), sigmoid(-0.3)];
 * const kl = won * Math.log(won / 0.9) + lost * Math.log(lost / 0.1);
 * assertAlmostEquals(evaluatePaired(batch, exoPair({ beta: 0.1, labelSmoothing: 0.1 })).loss, kl);
 * ```
 */
export function exoPair({ beta, labelSmoothing = 1e-3, divergence }: ExoPairOptions): Loss {
  checkPositive(beta, "exoPair: beta");
  checkSmoothedLabels(labelSmoothing, "exoPair: labelSmoothing");
  const margin = logRatioMargin(beta, divergence);
  const lost = negate(margin);
  return defineLoss({
    name: "exoPair",
    kind: "paired",
    expression: add(
      multiply(sigmoid(margin), subtract(logSigmoid(margin), Math.log1p(-labelSmoothing))),
      multiply(sigmoid(lost), subtract(logSigmoid(lost), Math.log(labelSmoothing))),
    ),
    rewards: logRatioRewards(beta, divergence),
    margin,
  });
}
