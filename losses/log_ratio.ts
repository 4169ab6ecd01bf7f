import { record } from "./definition.ts";
import { type Expression, multiply, subtract } from "./expression.ts";

/** u_w = log π(chosen) − log π_ref(chosen), summed over tokens; in unpaired records the completion's u. */
export const chosenLogRatio: Expression = subtract(record.policyChosen, record.referenceChosen);

/** u_l = log π(rejected) − log π_ref(rejected), summed over tokens. */
export const rejectedLogRatio: Expression = subtract(record.policyRejected, record.referenceRejected);

/** β u_w and β u_l, DPO's implicit rewards. */
export function logRatioRewards(beta: number): { chosen: Expression; rejected: Expression } {
  return { chosen: multiply(beta, chosenLogRatio), rejected: multiply(beta, rejectedLogRatio) };
}

/** β (u_w − u_l), the margin between DPO's implicit rewards. */
export function logRatioMargin(beta: number): Expression {
  return multiply(beta, subtract(chosenLogRatio, rejectedLogRatio));
}
