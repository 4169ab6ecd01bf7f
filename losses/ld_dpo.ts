import type { NumberArray } from "./batch.ts";
import type { Loss } from "./definition.ts";
import { readsAny, refuseTokenTerms, requirePairs } from "./substitute.ts";

/** Options of LD-DPO. */
export interface LdDpoOptions {
  /** What a token beyond the shorter completion's length counts, at least 0 and below 1; 0.5 is usual. */
  readonly alpha: number;
}

/**
 * Changes a loss to LD-DPO's: in every summed log-prob, tokens beyond the length of the pair's shorter
 * completion count α.
 *
 * What a longer completion has more of can only decide so much. The reference's sums are weighted like the
 * policy's, as in TRL 1.10, so that equal models still have the loss of equal models; TRL 0.23 weighted the
 * policy's alone. Liu et al., "Length Desensitization in Direct Preference Optimization", arXiv 2409.06411.
 *
 * It changes how tokens are added up before the loss sees them: training does so by itself, and on the host
 * {@linkcode sumDesensitized} makes the sums to give.
 *
 * @throws {Error} If the loss reads lengths or has a cross-entropy over tokens, or is for single completions.
 * @throws {RangeError} If α is not at least 0 and below 1.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { dpo, evaluatePaired, ldDpo, sumDesensitized } from "@tr/align/losses";
 *
 * const alpha = 0.5;
 * const [chosen, rejected] = [[-1, -2], [-3, -1, -2, -4]]; // log-probs of tokens under the policy
 * const sums = {
 *   chosen: [sumDesensitized(chosen!, { shorter: 2, alpha })],
 *   rejected: [sumDesensitized(rejected!, { shorter: 2, alpha })],
 * };
 * assertAlmostEquals(sums.rejected[0]!, -3 - 1 + 0.5 * (-2 - 4));
 * const reference = { chosen: [-3], rejected: [-7] }; // made likewise
 * assertAlmostEquals(evaluatePaired({ policy: sums, reference }, ldDpo(dpo({ beta: 0.1 }), { alpha })).loss, Math.LN2);
 * ```
 */
export function ldDpo(loss: Loss, { alpha }: LdDpoOptions): Loss {
  if (!(alpha >= 0 && alpha < 1)) {
    throw new RangeError(
      `ldDpo: alpha must be at least 0 and below 1, got ${alpha}; with 1 it changes nothing`,
    );
  }
  requirePairs(loss, "ldDpo");
  refuseTokenTerms(loss, "ldDpo");
  if (loss.tailWeight !== 1) {
    throw new Error(`ldDpo: ${loss.name} is desensitized already; leave it as it is`);
  }
  if (readsAny(loss, ["lengthChosen", "lengthRejected"])) {
    throw new Error(
      `ldDpo: ${loss.name} divides by lengths, which takes them out already; take one of the two`,
    );
  }
  return { ...loss, name: `ld ${loss.name}`, tailWeight: alpha };
}

/**
 * Adds up a completion's log-probs as {@linkcode ldDpo} wants them: the tokens from `shorter` on count `alpha`.
 *
 * @param logProbs One number a token.
 * @param options.shorter The length in tokens of the shorter completion of the pair.
 */
export function sumDesensitized(
  logProbs: NumberArray,
  { shorter, alpha }: LdDpoOptions & { shorter: number },
): number {
  let sum = 0;
  for (let token = 0; token < logProbs.length; token++) {
    sum += (token < shorter ? 1 : alpha) * logProbs[token]!;
  }
  return sum;
}
