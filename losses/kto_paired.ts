import type { PairedLogProbs, PairedLossResult } from "./batch.ts";
import { batchMean, defineLoss, type Loss, type Statistic, statistic } from "./definition.ts";
import { evaluatePaired } from "./evaluate.ts";
import { add, type Expression, maximum, multiply, sigmoid, subtract } from "./expression.ts";
import { chosenLogRatio, rejectedLogRatio } from "./log_ratio.ts";
import { checkPositive } from "./options.ts";

/** Options of KTO on pairs. */
export interface KtoPairedOptions {
  /** β, how fast a completion's value saturates. */
  readonly beta: number;
  /**
   * Whether z_w and z_l are constants for the gradient, as KTO's paper has it. The TR authors' code lets the gradient
   * through: false. Default true.
   */
  readonly detach?: boolean;
}

function logRatioMean(name: string, term: Expression, detached: boolean): Statistic {
  return statistic({ name, source: "records", term, then: maximum(batchMean, 0), detached });
}

/**
 * Defines KTO on pairs, the loss of a pair being the mean of 1 − σ(β (u_w − z_l)) and 1 − σ(β (z_w − u_l)).
 *
 * u is the log-ratio of policy and reference, z_w = max(0, mean u_w) and z_l = max(0, mean u_l) over the batch. The form
 * that the Trust Region paper's experiments call KTO (arXiv 2404.09656); {@linkcode kto} is KTO's own. Rewards are β u.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function ktoPaired({ beta, detach = true }: KtoPairedOptions): Loss {
  checkPositive(beta, "ktoPaired: beta");
  const zChosen = logRatioMean("z_chosen", chosenLogRatio, detach);
  const zRejected = logRatioMean("z_rejected", rejectedLogRatio, detach);
  // 1 − σ(x) is written σ(−x), which stays accurate when it is small.
  const chosen = sigmoid(multiply(beta, subtract(zRejected.value, chosenLogRatio)));
  const rejected = sigmoid(multiply(beta, subtract(rejectedLogRatio, zChosen.value)));
  return defineLoss({
    name: "ktoPaired",
    kind: "paired",
    expression: multiply(0.5, add(chosen, rejected)),
    statistics: [zChosen, zRejected],
    rewards: { chosen: multiply(beta, chosenLogRatio), rejected: multiply(beta, rejectedLogRatio) },
    margin: multiply(beta, subtract(chosenLogRatio, rejectedLogRatio)),
  });
}

/**
 * Computes the paired form of KTO over a batch and its gradient, in float64; see {@linkcode ktoPaired}.
 *
 * @param batch Summed log-probs of policy and reference, one number a pair.
 * @returns `statistics.z_chosen` and `statistics.z_rejected` are z_w and z_l.
 * @throws {RangeError} If β is not above 0, the batch is empty, its arrays differ in length, or a number is not finite.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { ktoPairedLoss } from "@tr/align/losses";
 *
 * const { loss, statistics } = ktoPairedLoss({
 *   policy: { chosen: [-10, -20], rejected: [-15, -25] },
 *   reference: { chosen: [-12, -22], rejected: [-12, -22] },
 * }, { beta: 0.1 });
 * assertAlmostEquals(statistics.z_chosen!, 2);
 * assertAlmostEquals(statistics.z_rejected!, 0); // the mean is −3
 * assertAlmostEquals(loss, (1 / (1 + Math.exp(0.2)) + 1 / (1 + Math.exp(0.5))) / 2);
 * ```
 */
export function ktoPairedLoss(batch: PairedLogProbs, options: KtoPairedOptions): PairedLossResult {
  return evaluatePaired(batch, ktoPaired(options));
}
