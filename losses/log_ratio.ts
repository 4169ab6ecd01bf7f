import { record } from "./definition.ts";
import { type Expression, subtract } from "./expression.ts";

/** u_w = log π(chosen) − log π_ref(chosen), summed over tokens; in unpaired records the completion's u. */
export const chosenLogRatio: Expression = subtract(record.policyChosen, record.referenceChosen);

/** u_l = log π(rejected) − log π_ref(rejected), summed over tokens. */
export const rejectedLogRatio: Expression = subtract(record.policyRejected, record.referenceRejected);
