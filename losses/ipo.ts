import type { PairedLogProbs, PairedLossResult } from "./batch.ts";
import { defineLoss, type Loss, record } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { evaluatePaired } from "./evaluate.ts";
import { divide, multiply, square, subtract } from "./expression.ts";
import { logRatioScores } from "./log_ratio.ts";
import { checkPositive } from "./options.ts";

/** Options of IPO. */
export interface IpoOptions extends DivergenceOptions {
  /** β (the paper's τ); the margin is drawn to 1 / (2β). */
  readonly beta: number;
  /**
   * Score of a completion: its log-ratio's "sum" over tokens (the paper's formula; DPO's and TR-DPO's authors' code) or its
   * "mean" over tokens (TRL, HALOs). They are different losses that need different β, so there is no default.
   */
  readonly average: "sum" | "mean";
}

/**
 * Defines IPO: (s_w − s_l − 1 / (2β))², s the log-ratio of policy and reference, summed or averaged over tokens.
 *
 * Azar et al., "A General Theoretical Paradigm to Understand Learning from Human Preferences", arXiv 2310.12036,
 * equation 17. Rewards are β s.
 *
 * @throws {RangeError} If β is not above 0 or `average` is neither "sum" nor "mean".
 */
export function ipo({ beta, average, divergence }: IpoOptions): Loss {
  checkPositive(beta, "ipo: beta");
  if (average !== "sum" && average !== "mean") {
    throw new RangeError(
      `ipo: average must be "sum" or "mean", got ${JSON.stringify(average)}; there is no default`,
    );
  }
  const scores = logRatioScores(divergence);
  const chosen = average === "sum" ? scores.chosen : divide(scores.chosen, record.lengthChosen);
  const rejected = average === "sum" ? scores.rejected : divide(scores.rejected, record.lengthRejected);
  const difference = subtract(chosen, rejected);
  return defineLoss({
    name: "ipo",
    kind: "paired",
    expression: square(subtract(difference, 1 / (2 * beta))),
    rewards: { chosen: multiply(beta, chosen), rejected: multiply(beta, rejected) },
    margin: multiply(beta, difference),
  });
}

/**
 * Computes the IPO loss of a batch of pairs and its gradient, in float64; see {@linkcode ipo} for the formula.
 *
 * @param batch Summed log-probs of policy and reference, one number a pair. `lengths` are needed for `average: "mean"`;
 * with "sum" they may be there, and are not read.
 * @throws {Error} If lengths are needed and missing.
 * @throws {RangeError} If an option is out of range, the batch is empty, its arrays differ in length, or a number is
 * not finite.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { ipoLoss } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-20] },
 *   reference: { chosen: [-12], rejected: [-16] },
 *   lengths: { chosen: [4], rejected: [8] },
 * };
 * assertAlmostEquals(ipoLoss(batch, { beta: 0.1, average: "sum" }).loss, 1); // (2 + 4 − 5)²
 * assertAlmostEquals(ipoLoss(batch, { beta: 0.1, average: "mean" }).loss, 16); // (0.5 + 0.5 − 5)²
 * ```
 */
export function ipoLoss(batch: PairedLogProbs, options: IpoOptions): PairedLossResult {
  return evaluatePaired(batch, ipo(options));
}
