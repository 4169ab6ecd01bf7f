import { defineLoss, type Loss, record } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { logSigmoid, negate, subtract } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines DPO with a margin from the data: −log σ(β (u_w − u_l) − m), u the log-ratio of policy and reference
 * and m the pair's own number, such as the difference of two ratings.
 *
 * A pair whose completions differ much has to be told apart by more. It is "sigmoid with margin" of the library
 * of Trust Region alignment's authors (turbo-alignment), and Amini et al., "Direct Preference Optimization with
 * an Offset", arXiv 2402.10571. The reported curvature is taken at the margin minus m.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, margin } from "@tr/align/losses";
 *
 * const { loss } = evaluatePaired({
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 *   margins: [0.3],
 * }, margin({ beta: 0.1 }));
 * assertAlmostEquals(loss, Math.LN2); // 0.1 (2 + 1) is just the margin
 * ```
 */
export function margin({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "margin: beta");
  const excess = subtract(logRatioMargin(beta, divergence), record.margin);
  return defineLoss({
    name: "margin",
    kind: "paired",
    expression: negate(logSigmoid(excess)),
    rewards: logRatioRewards(beta, divergence),
    margin: excess,
  });
}
