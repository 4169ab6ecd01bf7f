import { defineLoss, type Loss, record } from "./definition.ts";
import { negate } from "./expression.ts";

/**
 * Defines supervised fine-tuning on the chosen completions: −Σ log π(chosen) / number of chosen tokens in the batch.
 *
 * Every token counts alike, so a long completion weighs more than a short one. Mostly an addend, see
 * {@linkcode combine}. Reads neither the reference nor the rejected completions; has no rewards.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, sft } from "@tr/align/losses";
 *
 * const { loss } = evaluatePaired({
 *   policy: { chosen: [-8, -1], rejected: [-9, -2] },
 *   lengths: { chosen: [4, 2], rejected: [3, 3] },
 * }, sft());
 * assertAlmostEquals(loss, (8 + 1) / (4 + 2));
 * ```
 */
export function sft(): Loss {
  return defineLoss({ name: "sft", kind: "paired", expression: negate(record.policyChosen), per: "token" });
}
