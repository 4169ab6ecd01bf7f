import { defineLoss, type Loss, type RankMatching, rankMatching, record } from "./definition.ts";
import { add, logSigmoid, multiply, negate, subtract } from "./expression.ts";
import { chosenLogRatio, logRatioRewards, rejectedLogRatio } from "./log_ratio.ts";
import { checkLabelSmoothing, checkPositive } from "./options.ts";

/** Options of AOT. */
export interface AotOptions {
  /** β, the weight of the KL penalty. */
  readonly beta: number;
  /** ε, the probability that labels are swapped, at least 0 and below 0.5. Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Defines AOT: −(1 − ε) log σ(β a) − ε log σ(−β a), a = sort(p_w − p_l) − sort(r_w − r_l) over the batch, p the
 * log-prob under the policy and r under the reference.
 *
 * Not each pair by itself, but the policy's margins as a whole are to exceed the reference's: at every rank.
 * Melnyk et al., "Distributional Preference Alignment of LLMs via Optimal Transport", arXiv 2406.05882, section
 * 3, in the form of TRL. The whole optimizer step is sorted, so it wants large ones. Rewards are β (p − r).
 *
 * @throws {RangeError} If β is not above 0 or ε not in [0, 0.5).
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { aot, evaluatePaired } from "@tr/align/losses";
 *
 * const { losses } = evaluatePaired({
 *   policy: { chosen: [-10, -10], rejected: [-13, -11] }, // margins 3 and 1
 *   reference: { chosen: [-10, -10], rejected: [-10, -12] }, // margins 0 and 2
 * }, aot({ beta: 0.1 }));
 * assertAlmostEquals(losses[0]!, Math.log1p(Math.exp(-0.1 * (3 - 2)))); // the larger ones
 * assertAlmostEquals(losses[1]!, Math.log1p(Math.exp(-0.1 * (1 - 0))));
 * ```
 */
export function aot(options: AotOptions): Loss {
  return sortedLoss("aot", options, {
    of: subtract(record.policyChosen, record.policyRejected),
    with: subtract(record.referenceChosen, record.referenceRejected),
  });
}

/**
 * Defines AOT for completions whose pairing means nothing: {@linkcode aot} with a = sort(u_w) − sort(u_l), u
 * the log-ratio of policy and reference.
 *
 * At every rank, chosen completions as a whole are to have higher rewards than rejected ones as a whole. The
 * gradient flows to both. Melnyk et al., arXiv 2406.05882, section 3.
 *
 * @throws {RangeError} If β is not above 0 or ε not in [0, 0.5).
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { aotUnpaired, evaluatePaired } from "@tr/align/losses";
 *
 * const { losses, gradients } = evaluatePaired({
 *   policy: { chosen: [-10, -11], rejected: [-12, -13] },
 *   reference: { chosen: [-11, -10], rejected: [-10, -16] }, // u_w 1, −1 and u_l −2, 3
 * }, aotUnpaired({ beta: 0.1 }));
 * assertAlmostEquals(losses[0]!, Math.log1p(Math.exp(-0.1 * (1 - 3))));
 * assertAlmostEquals(gradients.rejected[1]!, -gradients.chosen[0]!);
 * ```
 */
export function aotUnpaired(options: AotOptions): Loss {
  return sortedLoss("aotUnpaired", options, { of: chosenLogRatio, with: rejectedLogRatio });
}

function sortedLoss(
  name: string,
  { beta, labelSmoothing = 0 }: AotOptions,
  sides: Omit<RankMatching, "value">,
): Loss {
  checkPositive(beta, `${name}: beta`);
  checkLabelSmoothing(labelSmoothing, `${name}: labelSmoothing`);
  const matching = rankMatching(sides);
  const margin = multiply(beta, subtract(sides.of, matching.value));
  const asLabelled = multiply(1 - labelSmoothing, logSigmoid(margin));
  const swapped = multiply(labelSmoothing, logSigmoid(negate(margin)));
  return defineLoss({
    name,
    kind: "paired",
    expression: negate(add(asLabelled, swapped)),
    matchings: [matching],
    rewards: logRatioRewards(beta),
    margin,
  });
}
