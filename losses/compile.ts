import type { PairedLossResult } from "./batch.ts";
import type { LossColumns } from "./columns.ts";
import type { Loss, LossKind, Statistic } from "./definition.ts";
import { evaluatePlan } from "./evaluate.ts";
import { planLoss } from "./plan.ts";
import { lossWgsl } from "./wgsl.ts";

/** A loss ready to run on host and GPU. */
export interface CompiledLoss {
  /** The definition's name. */
  readonly name: string;
  /** The records it is for. */
  readonly kind: LossKind;
  /** What the records must bring besides the policy's log-probs. */
  readonly needs: {
    /** Log-probs under the reference. */
    readonly reference: boolean;
    /** Completion lengths in tokens; the GPU form may get them as `token_share` only. */
    readonly lengths: boolean;
    /** Log-probs of mismatched sequences. */
    readonly mismatched: boolean;
    /** Each pair's margin from the data. */
    readonly margins: boolean;
    /** How likely the completions are for the policy itself, {@linkcode wpo}'s weights. */
    readonly logWeights: boolean;
  };
  /**
   * What tokens beyond the length of a pair's shorter completion count in the summed log-probs; 1 where they
   * count as others.
   */
  readonly tailWeight: number;
  /** How many numbers each record gets from others by rank. */
  readonly matchings: number;
  /** Batch-wide numbers, in the order of the components of the WGSL's vectors. */
  readonly statistics: readonly Pick<Statistic, "name" | "source" | "detached">[];
  /**
   * WGSL text that defines `LossRecord`, `LossValue`, `loss_statistic_terms`, its two gradients, `loss_statistics`,
   * `loss_statistics_gradient` and `loss_value`, with matchings also `loss_ranked`, `loss_ranked_with` and its two gradients; every other name in it begins with `loss_`.
   */
  readonly wgsl: string;
  /** The loss over columns, in float64; for unpaired records the `chosen` arrays of the result are the completion's. */
  readonly evaluate: (columns: LossColumns) => PairedLossResult;
}

/**
 * Derives a loss's gradients, its host form and its WGSL from its definition.
 *
 * @throws {Error} If the definition's formula doesn't fit its kind.
 * @throws {RangeError} If it has more than four statistics or matchings, or a constant that no float32 is near.
 *
 * @example
 * ```ts
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 * import { combine, compileLoss, dpo, sft } from "@tr/align/losses";
 *
 * const compiled = compileLoss(combine([{ loss: dpo({ beta: 0.1 }), weight: 1 }, { loss: sft(), weight: 0.5 }]));
 * assertEquals(compiled.needs, {
 *   reference: true,
 *   lengths: true,
 *   mismatched: false,
 *   margins: false,
 *   logWeights: false,
 * });
 * assertStringIncludes(
 *   compiled.wgsl,
 *   "fn loss_value(record: LossRecord, statistics: vec4f, matched: vec4f) -> LossValue",
 * );
 * ```
 */
export function compileLoss(loss: Loss): CompiledLoss {
  const plan = planLoss(loss);
  return {
    name: loss.name,
    kind: loss.kind,
    needs: {
      reference: plan.fields.has("referenceChosen") || plan.fields.has("referenceRejected"),
      lengths: plan.fields.has("lengthChosen") || plan.fields.has("lengthRejected"),
      mismatched: loss.statistics.some(({ source }) => source === "mismatched"),
      margins: plan.fields.has("margin"),
      logWeights: plan.fields.has("logWeightChosen") || plan.fields.has("logWeightRejected"),
    },
    tailWeight: loss.tailWeight,
    matchings: loss.matchings.length,
    statistics: loss.statistics.map(({ name, source, detached }) => ({ name, source, detached })),
    wgsl: lossWgsl(plan),
    evaluate: (columns) => evaluatePlan(plan, columns),
  };
}
