import type { UnpairedLogProbs, UnpairedLossResult } from "./batch.ts";
import { batchMean, defineLoss, type Loss, record, statistic } from "./definition.ts";
import { evaluateUnpaired } from "./evaluate.ts";
import { constant, maximum, multiply, negate, select, sigmoid, subtract } from "./expression.ts";
import { chosenLogRatio } from "./log_ratio.ts";
import { checkPositive } from "./options.ts";

/** Options of KTO. */
export interface KtoOptions {
  /** β, how fast a completion's value saturates. */
  readonly beta: number;
  /** w_D, the weight of desirable completions. Default 1. */
  readonly desirableWeight?: number;
  /** w_U, the weight of undesirable completions. Default 1. */
  readonly undesirableWeight?: number;
}

/** z₀, an estimate of KL(π ‖ π_ref) from completions that belong to other prompts. */
const z0 = statistic({
  name: "z0",
  source: "mismatched",
  term: chosenLogRatio,
  then: maximum(batchMean, 0),
  detached: true,
});

/**
 * Defines KTO: w_D (1 − σ(β (u − z₀))) for a desirable completion, w_U (1 − σ(β (z₀ − u))) for an undesirable one.
 *
 * u is the log-ratio of policy and reference; z₀ = max(0, mean u over the batch's mismatched sequences), a constant
 * for the gradient. Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization", arXiv 2402.01306.
 * Rewards are β u.
 *
 * @throws {RangeError} If β or a weight is not above 0.
 */
export function kto({ beta, desirableWeight = 1, undesirableWeight = 1 }: KtoOptions): Loss {
  checkPositive(beta, "kto: beta");
  checkPositive(desirableWeight, "kto: desirableWeight");
  checkPositive(undesirableWeight, "kto: undesirableWeight");
  const margin = multiply(beta, subtract(chosenLogRatio, z0.value));
  return defineLoss({
    name: "kto",
    kind: "unpaired",
    // 1 − σ(x) is written σ(−x), which stays accurate when it is small.
    expression: select({ greater: [record.label, 0.5] }, {
      then: multiply(desirableWeight, sigmoid(negate(margin))),
      otherwise: multiply(undesirableWeight, sigmoid(margin)),
    }),
    statistics: [z0],
    rewards: { chosen: multiply(beta, chosenLogRatio), rejected: constant(0) },
    margin,
  });
}

/**
 * Computes the KTO loss of a batch of labelled completions and its gradient, in float64; see {@linkcode kto}.
 *
 * @param batch Summed log-probs of policy and reference, labels, and `mismatched`: log-probs of prompt i followed by the
 * completion of record i − 1, as many as there are records. Take the mismatched sequences before any shuffle that would
 * bring a prompt back to its own completion.
 * @returns As for pairs, with one array under `completion`; `statistics.z0` is z₀.
 * @throws {RangeError} If an option is out of range, the batch has fewer than 2 records (no completion would belong to
 * another prompt), its arrays differ in length, a label is neither 0 nor 1, or a number is not finite.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { ktoLoss } from "@tr/align/losses";
 *
 * const { losses, statistics } = ktoLoss({
 *   policy: { completion: [-10, -20] },
 *   reference: { completion: [-12, -19] },
 *   labels: [true, false],
 *   mismatched: { policy: [-40, -41], reference: [-42, -41] },
 * }, { beta: 0.1 });
 * assertAlmostEquals(statistics.z0!, 1);
 * assertAlmostEquals(losses[0]!, 1 / (1 + Math.exp(0.1))); // 1 − σ(0.1 (2 − 1))
 * assertAlmostEquals(losses[1]!, 1 / (1 + Math.exp(0.2))); // 1 − σ(0.1 (1 + 1))
 * ```
 */
export function ktoLoss(batch: UnpairedLogProbs, options: KtoOptions): UnpairedLossResult {
  return evaluateUnpaired(batch, kto(options));
}
