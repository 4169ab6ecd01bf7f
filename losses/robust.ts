import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { divide, logSigmoid, multiply, negate, subtract } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { checkPositive, checkSmoothedLabels } from "./options.ts";

/** Options of robust DPO. */
export interface RobustOptions extends DivergenceOptions {
  /** β, the weight of the KL penalty. */
  readonly beta: number;
  /** ε, the probability that a pair's labels are swapped, above 0 and below 0.5. */
  readonly labelSmoothing: number;
}

/**
 * Defines robust DPO: (−(1 − ε) log σ(z) + ε log σ(−z)) / (1 − 2ε) with z = β (u_w − u_l), u the log-ratio of policy
 * and reference.
 *
 * Its mean over labels swapped with probability ε is DPO's loss of the right labels. A pair's loss may be negative.
 * Chowdhury et al., "Provably Robust DPO", arXiv 2403.00409.
 *
 * @throws {RangeError} If β is not above 0 or ε not above 0 and below 0.5, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, robust } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * const logSigmoid = (x: number) => -Math.log1p(Math.exp(-x));
 * const expected = (-0.8 * logSigmoid(0.3) + 0.2 * logSigmoid(-0.3)) / 0.6;
 * assertAlmostEquals(evaluatePaired(batch, robust({ beta: 0.1, labelSmoothing: 0.2 })).loss, expected);
 * ```
 */
export function robust({ beta, labelSmoothing, divergence }: RobustOptions): Loss {
  checkPositive(beta, "robust: beta");
  checkSmoothedLabels(labelSmoothing, "robust: labelSmoothing");
  const margin = logRatioMargin(beta, divergence);
  const asLabelled = multiply(1 - labelSmoothing, logSigmoid(margin));
  const swapped = multiply(labelSmoothing, logSigmoid(negate(margin)));
  return defineLoss({
    name: "robust",
    kind: "paired",
    expression: divide(subtract(swapped, asLabelled), 1 - 2 * labelSmoothing),
    rewards: logRatioRewards(beta, divergence),
    margin,
  });
}
