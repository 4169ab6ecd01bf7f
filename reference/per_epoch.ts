import { checkAlpha } from "./schedule.ts";
import { defineReferenceStrategy, type ReferenceStrategy } from "./strategy.ts";

/** Options of updates at the end of each pass over the data. */
export interface PerEpochOptions {
  /** α, the policy's share in the new reference, above 0 and at most 1; 1, the default, copies the policy. */
  readonly alpha?: number;
}

/**
 * Updates the reference after each pass over the data.
 *
 * Every record is then compared once with each reference. Stepwise DPO (Kim et al., arXiv 2403.19270) also trains in
 * stages, each against the model that the one before ended with, but it gives each stage a part of the data of its own,
 * the easier parts first, and no record is seen by two stages; here each stage sees all of it.
 *
 * @throws {RangeError} If α is not in (0, 1]. The strategy throws if the progress doesn't say whether an epoch ended.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { countUpdates, perEpoch } from "@tr/align/reference";
 *
 * const strategy = perEpoch();
 * assertEquals(strategy({ step: 30, totalSteps: 90, finishesEpoch: true }), 1);
 * assertEquals(countUpdates(strategy, { totalSteps: 90, stepsPerEpoch: 30 }), 3);
 * ```
 */
export function perEpoch({ alpha = 1 }: PerEpochOptions = {}): ReferenceStrategy {
  checkAlpha("perEpoch", alpha);
  return defineReferenceStrategy(
    ({ finishesEpoch }) => {
      if (finishesEpoch === undefined) {
        throw new Error(
          "perEpoch: nothing says whether this step finishes an epoch; give progress.finishesEpoch, or a forecast " +
            "stepsPerEpoch",
        );
      }
      return finishesEpoch ? alpha : 0;
    },
    { name: "epoch", alpha },
    { copies: alpha === 1 },
  );
}
