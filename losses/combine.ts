import type { Loss } from "./definition.ts";
import { checkPositive } from "./options.ts";

/** A loss and its factor. */
export interface WeightedLoss {
  /** One addend. */
  readonly loss: Loss;
  /** Its factor, above 0. */
  readonly weight: number;
}

/**
 * Combines losses of one kind into Σ weight · loss; DPO plus SFT on the chosen completions is RPO's form.
 *
 * Each addend keeps its own division by records or tokens. Rewards and margin are those of the first loss that has
 * them.
 *
 * @throws {Error} If the list is empty, or mixes losses for paired and for unpaired records, or losses that {@linkcode ldDpo}
 * changed and others.
 * @throws {RangeError} If a weight is not above 0.
 *
 * @example DPO with half of the chosen completion's cross-entropy
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { combine, dpo, evaluatePaired, sft } from "@tr/align/losses";
 *
 * const rpo = combine([{ loss: dpo({ beta: 0.1 }), weight: 1 }, { loss: sft(), weight: 0.5 }]);
 * const pair = { chosen: [-8], rejected: [-9] };
 * const { loss } = evaluatePaired({
 *   policy: pair,
 *   reference: pair,
 *   lengths: { chosen: [4], rejected: [3] },
 * }, rpo);
 * assertAlmostEquals(loss, Math.LN2 + 0.5 * 8 / 4);
 * ```
 */
export function combine(parts: readonly WeightedLoss[]): Loss {
  const [first] = parts;
  if (first === undefined) throw new Error("combine: no losses given; give at least one");
  for (const { loss, weight } of parts) {
    checkPositive(weight, `combine: the weight of ${loss.name}`);
    if (loss.kind !== first.loss.kind) {
      throw new Error(
        `combine: ${first.loss.name} is for ${first.loss.kind} records and ${loss.name} for ${loss.kind} ones; ` +
          `combine losses of one kind`,
      );
    }
    if (loss.tailWeight !== first.loss.tailWeight) {
      throw new Error(
        `combine: ${first.loss.name} and ${loss.name} want different sums over tokens; desensitize all of the losses ` +
          `to length by the same factor, or none`,
      );
    }
  }
  const rewarding = parts.find(({ loss }) => loss.rewards !== null)?.loss ?? first.loss;
  return {
    name: parts.map(({ loss, weight }) => weight === 1 ? loss.name : `${weight} ${loss.name}`).join(" + "),
    kind: first.loss.kind,
    terms: parts.flatMap(({ loss, weight }) =>
      loss.terms.map((term) => ({ ...term, weight: term.weight * weight }))
    ),
    statistics: [...new Set(parts.flatMap(({ loss }) => loss.statistics))],
    matchings: [...new Set(parts.flatMap(({ loss }) => loss.matchings))],
    tailWeight: first.loss.tailWeight,
    rewards: rewarding.rewards,
    margin: rewarding.margin,
  };
}
