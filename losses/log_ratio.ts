import { record } from "./definition.ts";
import { type Divergence, divergenceScore } from "./divergence.ts";
import { type Expression, multiply, subtract } from "./expression.ts";

/** The same expression for the chosen and for the rejected completion. */
export interface ExpressionPair {
  readonly chosen: Expression;
  readonly rejected: Expression;
}

/** u_w = log π(chosen) − log π_ref(chosen), summed over tokens; in unpaired records the completion's u. */
export const chosenLogRatio: Expression = subtract(record.policyChosen, record.referenceChosen);

/** u_l = log π(rejected) − log π_ref(rejected), summed over tokens. */
export const rejectedLogRatio: Expression = subtract(record.policyRejected, record.referenceRejected);

/** s_w and s_l, the divergence's scores of the two log-ratios; the log-ratios themselves for reverse KL. */
export function logRatioScores(divergence: Divergence = "reverse_kl"): ExpressionPair {
  return {
    chosen: divergenceScore(divergence, chosenLogRatio),
    rejected: divergenceScore(divergence, rejectedLogRatio),
  };
}

/** β s_w and β s_l, DPO's implicit rewards. */
export function logRatioRewards(beta: number, divergence?: Divergence): ExpressionPair {
  const { chosen, rejected } = logRatioScores(divergence);
  return { chosen: multiply(beta, chosen), rejected: multiply(beta, rejected) };
}

/** β (s_w − s_l), the margin between DPO's implicit rewards. */
export function logRatioMargin(beta: number, divergence?: Divergence): Expression {
  const { chosen, rejected } = logRatioScores(divergence);
  return multiply(beta, subtract(chosen, rejected));
}
