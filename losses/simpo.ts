import type { PairedLossResult, PolicyLogProbs } from "./batch.ts";
import { defineLoss, type Loss, record } from "./definition.ts";
import { evaluatePaired } from "./evaluate.ts";
import { divide, logSigmoid, multiply, negate, subtract } from "./expression.ts";
import { checkPositive } from "./options.ts";

/** Options of SimPO. */
export interface SimpoOptions {
  /** β, the factor between a completion's mean log-prob and its reward; 2 to 2.5 is usual. */
  readonly beta: number;
  /** γ, the margin between the rewards that a pair should exceed, at least 0; half of β is usual. Default 1. */
  readonly gamma?: number;
}

/**
 * Defines SimPO: −log σ(β p_w / n_w − β p_l / n_l − γ), p the policy's log-prob and n the completion's tokens.
 *
 * There is no reference. Meng et al., "SimPO: Simple Preference Optimization with a Reference-Free Reward", arXiv
 * 2405.14734, equation 6. Rewards are β p / n; the reported curvature is taken at the margin minus γ.
 *
 * @throws {RangeError} If β is not above 0 or γ is below 0.
 */
export function simpo({ beta, gamma = 1 }: SimpoOptions): Loss {
  checkPositive(beta, "simpo: beta");
  if (!(Number.isFinite(gamma) && gamma >= 0)) {
    throw new RangeError(`simpo: gamma must be a finite number of at least 0, got ${gamma}`);
  }
  const chosen = divide(record.policyChosen, record.lengthChosen);
  const rejected = divide(record.policyRejected, record.lengthRejected);
  const excess = subtract(multiply(beta, subtract(chosen, rejected)), gamma);
  return defineLoss({
    name: "simpo",
    kind: "paired",
    expression: negate(logSigmoid(excess)),
    rewards: { chosen: multiply(beta, chosen), rejected: multiply(beta, rejected) },
    margin: excess,
  });
}

/**
 * Computes the SimPO loss of a batch of pairs and its gradient, in float64; see {@linkcode simpo} for the formula.
 *
 * @param batch Summed log-probs of the policy, and lengths; one number a pair.
 * @throws {Error} If lengths are missing.
 * @throws {RangeError} If an option is out of range, the batch is empty, its arrays differ in length, or a number is
 * not finite.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { simpoLoss } from "@tr/align/losses";
 *
 * const { loss, rewards } = simpoLoss({
 *   policy: { chosen: [-10], rejected: [-30] },
 *   lengths: { chosen: [10], rejected: [20] },
 * }, { beta: 2, gamma: 1 });
 * assertAlmostEquals(rewards.rejected[0]!, -3);
 * assertAlmostEquals(loss, Math.LN2); // −2 + 3 is just γ
 * ```
 */
export function simpoLoss(batch: PolicyLogProbs, options: SimpoOptions): PairedLossResult {
  return evaluatePaired(batch, simpo(options));
}
