import type { PairedLossResult, PolicyLogProbs } from "./batch.ts";
import { combine } from "./combine.ts";
import { defineLoss, type Loss, record } from "./definition.ts";
import { evaluatePaired } from "./evaluate.ts";
import { add, logSigmoid, multiply, negate, subtract } from "./expression.ts";
import { checkLabelSmoothing, checkPositive } from "./options.ts";
import { sft } from "./sft.ts";

/** Options of CPO. */
export interface CpoOptions {
  /** β, the factor between a completion's log-prob and its reward; 0.1 is usual. */
  readonly beta: number;
  /** ε, the probability that a pair's labels are swapped, at least 0 and below 0.5. Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Defines CPO: −(1 − ε) log σ(z) − ε log σ(−z) with z = β (p_w − p_l), p the policy's log-prob, plus the cross-entropy
 * of the chosen completions per token, which is {@linkcode sft}.
 *
 * There is no reference. Xu et al., "Contrastive Preference Optimization", arXiv 2401.08417. Rewards are β p.
 *
 * @throws {RangeError} If β is not above 0 or ε not in [0, 0.5).
 */
export function cpo({ beta, labelSmoothing = 0 }: CpoOptions): Loss {
  checkPositive(beta, "cpo: beta");
  checkLabelSmoothing(labelSmoothing, "cpo: labelSmoothing");
  const { policyChosen, policyRejected } = record;
  const margin = multiply(beta, subtract(policyChosen, policyRejected));
  const asLabelled = multiply(1 - labelSmoothing, logSigmoid(margin));
  const swapped = multiply(labelSmoothing, logSigmoid(negate(margin)));
  const preference = defineLoss({
    name: "preference",
    kind: "paired",
    expression: negate(add(asLabelled, swapped)),
    rewards: { chosen: multiply(beta, policyChosen), rejected: multiply(beta, policyRejected) },
    margin,
  });
  return { ...combine([{ loss: preference, weight: 1 }, { loss: sft(), weight: 1 }]), name: "cpo" };
}

/**
 * Computes the CPO loss of a batch of pairs and its gradient, in float64; see {@linkcode cpo} for the formula.
 *
 * @param batch Summed log-probs of the policy, and lengths; one number a pair.
 * @throws {Error} If lengths are missing.
 * @throws {RangeError} If an option is out of range, the batch is empty, its arrays differ in length, or a number is
 * not finite.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { cpoLoss } from "@tr/align/losses";
 *
 * const { loss } = cpoLoss({
 *   policy: { chosen: [-10], rejected: [-30] },
 *   lengths: { chosen: [5], rejected: [20] },
 * }, { beta: 0.1 });
 * assertAlmostEquals(loss, Math.log1p(Math.exp(-2)) + 10 / 5);
 * ```
 */
export function cpoLoss(batch: PolicyLogProbs, options: CpoOptions): PairedLossResult {
  return evaluatePaired(batch, cpo(options));
}
