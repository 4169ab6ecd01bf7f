import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { maximum, subtract } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines the hinge loss: max(0, 1 − β (u_w − u_l)), u the log-ratio of policy and reference.
 *
 * A pair whose log-ratios differ by more than 1 / β has no gradient. Zhao et al., "SLiC-HF", arXiv 2305.10425, with the log-ratios
 * of Liu et al., "Statistical Rejection Sampling Improves Preference Optimization", arXiv 2309.06657.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, hinge } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * assertAlmostEquals(evaluatePaired(batch, hinge({ beta: 0.1 })).loss, 1 - 0.3);
 * ```
 */
export function hinge({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "hinge: beta");
  const margin = logRatioMargin(beta, divergence);
  return defineLoss({
    name: "hinge",
    kind: "paired",
    expression: maximum(subtract(1, margin), 0),
    rewards: logRatioRewards(beta, divergence),
    margin,
  });
}
