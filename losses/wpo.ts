import { type Loss, record } from "./definition.ts";
import { add, exp, minimum, multiply } from "./expression.ts";
import { readsAny, refuseTokenTerms, requirePairs } from "./substitute.ts";

/**
 * Changes a loss to WPO's: each pair counts ω_w ω_l, at most 1, without a gradient, with
 * ω = exp(mean over tokens of log p(token) − log Σ_v p(v)²) under the policy.
 *
 * Completions that the policy would hardly write itself count less, so that a data set of others' completions
 * comes closer to one of its own; its own samples have ω near 1. Zhou et al., "WPO: Enhancing RLHF with
 * Weighted Preference Optimization", arXiv 2406.11827, equation 2. The limit of 1 is that of the authors' code
 * and of TRL 0.23; TRL 1.10 has none.
 *
 * @throws {Error} If the loss has a cross-entropy over tokens, sorts the batch (a pair's number is another's there), is
 * weighed already, or is for single completions.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { dpo, evaluatePaired, wpo } from "@tr/align/losses";
 *
 * const pair = { chosen: [-10], rejected: [-14] };
 * const { loss } = evaluatePaired({
 *   policy: pair,
 *   reference: pair,
 *   logWeights: { chosen: [-0.25], rejected: [-0.5] },
 * }, wpo(dpo({ beta: 0.1 })));
 * assertAlmostEquals(loss, Math.exp(-0.75) * Math.LN2);
 * ```
 */
export function wpo(loss: Loss): Loss {
  requirePairs(loss, "wpo");
  refuseTokenTerms(loss, "wpo");
  if (loss.matchings.length > 0) {
    throw new Error(
      `wpo: ${loss.name} sorts the batch, so that its numbers have no pair whose weight they could have`,
    );
  }
  if (readsAny(loss, ["logWeightChosen", "logWeightRejected"])) {
    throw new Error(`wpo: ${loss.name} is weighed already; leave it as it is`);
  }
  const weight = exp(minimum(add(record.logWeightChosen, record.logWeightRejected), 0));
  return {
    ...loss,
    name: `wpo ${loss.name}`,
    terms: loss.terms.map((term) => ({ ...term, expression: multiply(weight, term.expression) })),
  };
}
