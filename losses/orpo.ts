import type { PairedLossResult, PolicyLogProbs } from "./batch.ts";
import { combine } from "./combine.ts";
import { defineLoss, type Loss, record } from "./definition.ts";
import { evaluatePaired } from "./evaluate.ts";
import { divide, type Expression, log1mexp, logSigmoid, negate, subtract } from "./expression.ts";
import { checkPositive } from "./options.ts";
import { sft } from "./sft.ts";

/** Options of ORPO. */
export interface OrpoOptions {
  /** The weight of the odds ratio's term, λ in the paper; 0.1 is usual. */
  readonly beta: number;
}

/** log(P / (1 − P)) of the P whose logarithm is the mean log-prob of a token. */
function logOdds(policy: Expression, length: Expression): Expression {
  const logProb = divide(policy, length);
  return subtract(logProb, log1mexp(logProb));
}

/**
 * Defines ORPO: the cross-entropy of the chosen completions per token, which is {@linkcode sft}, minus
 * β log σ(log odds_w − log odds_l), odds being P / (1 − P) and log P the policy's mean log-prob of a token.
 *
 * There is no reference. Hong et al., "ORPO: Monolithic Preference Optimization without Reference Model", arXiv
 * 2403.07691, equations 6 and 7. Rewards are the log odds.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function orpo({ beta }: OrpoOptions): Loss {
  checkPositive(beta, "orpo: beta");
  const chosen = logOdds(record.policyChosen, record.lengthChosen);
  const rejected = logOdds(record.policyRejected, record.lengthRejected);
  const margin = subtract(chosen, rejected);
  const oddsRatio = defineLoss({
    name: "oddsRatio",
    kind: "paired",
    expression: negate(logSigmoid(margin)),
    rewards: { chosen, rejected },
    margin,
  });
  return { ...combine([{ loss: oddsRatio, weight: beta }, { loss: sft(), weight: 1 }]), name: "orpo" };
}

/**
 * Computes the ORPO loss of a batch of pairs and its gradient, in float64; see {@linkcode orpo} for the formula.
 *
 * @param batch Summed log-probs of the policy, and lengths; one number a pair.
 * @throws {Error} If lengths are missing.
 * @throws {RangeError} If β is not above 0, the batch is empty, its arrays differ in length, or a number is not finite.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { orpoLoss } from "@tr/align/losses";
 *
 * // tokens of probability 3/4 and 1/4 have odds 3 and 1/3
 * const { loss } = orpoLoss({
 *   policy: { chosen: [2 * Math.log(0.75)], rejected: [5 * Math.log(0.25)] },
 *   lengths: { chosen: [2], rejected: [5] },
 * }, { beta: 0.1 });
 * assertAlmostEquals(loss, -Math.log(0.75) + 0.1 * Math.log(1 + 1 / 9));
 * ```
 */
export function orpoLoss(batch: PolicyLogProbs, options: OrpoOptions): PairedLossResult {
  return evaluatePaired(batch, orpo(options));
}
