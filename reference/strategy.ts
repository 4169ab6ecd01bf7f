/** Where a run stands when its reference is about to be updated, right after an optimizer step. */
export interface Progress {
  /** Optimizer steps completed; the first update can come at 1. */
  readonly step: number;
  /** Optimizer steps of the whole run. */
  readonly totalSteps: number;
  /** Passes over the data completed. */
  readonly epoch?: number;
}

/** A strategy's name and parameters, for logs. */
export interface ReferenceStrategyDescription {
  /** Such as "soft". */
  readonly name: string;
  /** Its parameters. */
  readonly [parameter: string]: string | number;
}

/**
 * When and how far the reference follows the policy: from a run's progress, the α of θ_ref ← α θ + (1 − α) θ_ref.
 *
 * 0 leaves the reference alone, 1 copies the policy. Called once after every optimizer step, in order. Gorbatovski et
 * al., arXiv 2404.09656, section 3.
 */
export interface ReferenceStrategy {
  (progress: Progress): number;
  /** For logs. */
  readonly description: ReferenceStrategyDescription;
}

/**
 * Makes a strategy of a rule and its description.
 *
 * @example A hard update at the end of each third of the run
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { countUpdates, defineReferenceStrategy } from "@tr/align/reference";
 *
 * const thirds = defineReferenceStrategy(
 *   ({ step, totalSteps }) => step % Math.ceil(totalSteps / 3) === 0 ? 1 : 0,
 *   { name: "thirds" },
 * );
 * assertEquals(countUpdates(thirds, { totalSteps: 90 }), 3);
 * ```
 */
export function defineReferenceStrategy(
  rule: (progress: Progress) => number,
  description: ReferenceStrategyDescription,
): ReferenceStrategy {
  return Object.assign((progress: Progress) => rule(progress), { description });
}
