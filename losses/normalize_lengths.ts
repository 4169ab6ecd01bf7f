import { type Loss, record } from "./definition.ts";
import { divide, type Expression } from "./expression.ts";
import { chosenLogRatio, rejectedLogRatio } from "./log_ratio.ts";
import { readsAny, refuseTokenTerms, requirePairs, substituteInLoss } from "./substitute.ts";

/**
 * Changes a loss to one of means over tokens: every summed log-prob is divided by its completion's tokens.
 *
 * It takes away what a longer completion gains or loses by its length alone. Means are small, so β has to be
 * larger, 2 to 10. {@linkcode sigmoidNorm} is `normalizeLengths(dpo(…))`, and `ipo` of means that of `ipo` of
 * sums. Meng et al., arXiv 2405.14734, appendix, "DPO with length normalization".
 *
 * @throws {Error} If the loss reads lengths already, or is for single completions.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, hinge, normalizeLengths } from "@tr/align/losses";
 *
 * const { loss } = evaluatePaired({
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 *   lengths: { chosen: [4], rejected: [10] },
 * }, normalizeLengths(hinge({ beta: 1 })));
 * assertAlmostEquals(loss, 1 - (2 / 4 + 1 / 10));
 * ```
 */
export function normalizeLengths(loss: Loss): Loss {
  requirePairs(loss, "normalizeLengths");
  refuseTokenTerms(loss, "normalizeLengths");
  if (readsAny(loss, ["lengthChosen", "lengthRejected"])) {
    throw new Error(`normalizeLengths: ${loss.name} divides by lengths already; leave it as it is`);
  }
  const ofChosen = [chosenLogRatio, record.policyChosen, record.referenceChosen];
  const ofRejected = [rejectedLogRatio, record.policyRejected, record.referenceRejected];
  // Log-ratios as a whole: their two parts are large, and each would be rounded by itself.
  const means = new Map<Expression, Expression>([
    ...ofChosen.map((sum) => [sum, divide(sum, record.lengthChosen)] as const),
    ...ofRejected.map((sum) => [sum, divide(sum, record.lengthRejected)] as const),
  ]);
  return { ...substituteInLoss(loss, means, { rewards: true }), name: `length-normalized ${loss.name}` };
}
