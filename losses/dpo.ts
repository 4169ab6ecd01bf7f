import type { PairedLogProbs, PairedLossResult } from "./batch.ts";
import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { evaluatePaired } from "./evaluate.ts";
import { add, logSigmoid, multiply, negate } from "./expression.ts";
import { logRatioMargin, logRatioRewards } from "./log_ratio.ts";
import { checkLabelSmoothing, checkPositive } from "./options.ts";

/** Options of DPO. */
export interface DpoOptions extends DivergenceOptions {
  /** β, the weight of the KL penalty; 0.05 to 0.5 is usual. */
  readonly beta: number;
  /** ε, the probability that a pair's labels are swapped, at least 0 and below 0.5; above 0 it is cDPO. Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Defines DPO: −(1 − ε) log σ(z) − ε log σ(−z) with z = β (u_w − u_l), u the log-ratio of policy and reference.
 *
 * Rafailov et al., "Direct Preference Optimization", arXiv 2305.18290, equation 7; ε as in Mitchell, "A note on DPO
 * with noisy preferences & relationship to IPO". With another {@linkcode Divergence} u is its score: f-DPO.
 *
 * @throws {RangeError} If β is not above 0, ε not in [0, 0.5), or `divergence` is none.
 *
 * @example Held to the reference by the forward KL divergence, with scores −e^(−u)
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { dpo, evaluatePaired } from "@tr/align/losses";
 *
 * const { loss } = evaluatePaired({
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }, dpo({ beta: 0.1, divergence: "forward_kl" }));
 * assertAlmostEquals(loss, Math.log1p(Math.exp(-0.1 * (Math.exp(1) - Math.exp(-2)))));
 * ```
 */
export function dpo({ beta, labelSmoothing = 0, divergence }: DpoOptions): Loss {
  checkPositive(beta, "dpo: beta");
  checkLabelSmoothing(labelSmoothing, "dpo: labelSmoothing");
  const margin = logRatioMargin(beta, divergence);
  const asLabelled = multiply(1 - labelSmoothing, logSigmoid(margin));
  const swapped = multiply(labelSmoothing, logSigmoid(negate(margin)));
  return defineLoss({
    name: "dpo",
    kind: "paired",
    expression: negate(add(asLabelled, swapped)),
    rewards: logRatioRewards(beta, divergence),
    margin,
  });
}

/**
 * Computes the DPO loss of a batch of pairs and its gradient, in float64; see {@linkcode dpo} for the formula.
 *
 * @param batch Summed log-probs of policy and reference, one number a pair.
 * @throws {RangeError} If an option is out of range, the batch is empty, its arrays differ in length, or a number is
 * not finite.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { dpoLoss } from "@tr/align/losses";
 *
 * const { loss, rewards, gradients } = dpoLoss({
 *   policy: { chosen: [-10], rejected: [-30] },
 *   reference: { chosen: [-10.1], rejected: [-20.1] },
 * }, { beta: 0.1 });
 * assertAlmostEquals(loss, Math.log1p(Math.exp(-1)));
 * assertAlmostEquals(rewards.rejected[0]!, -0.99);
 * assertAlmostEquals(gradients.chosen[0]!, -0.1 / (1 + Math.E));
 * ```
 */
export function dpoLoss(batch: PairedLogProbs, options: DpoOptions): PairedLossResult {
  return evaluatePaired(batch, dpo(options));
}
