import { checkStep } from "./schedule.ts";
import { type ReferenceStrategy, varyStrategy } from "./strategy.ts";

/**
 * Ends a strategy's updates: none comes after more than `step` optimizer steps, and the reference stays.
 *
 * @throws {RangeError} If `step` is not a whole number of at least 0.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { after, countUpdates, hard, until } from "@tr/align/reference";
 *
 * const strategy = until(after(hard({ every: 10 }), { step: 20 }), { step: 50 });
 * assertEquals(countUpdates(strategy, { totalSteps: 100 }), 3); // at 30, 40 and 50
 * ```
 */
export function until(strategy: ReferenceStrategy, { step }: { readonly step: number }): ReferenceStrategy {
  checkStep("until", step);
  return varyStrategy(strategy, (progress) => progress.step <= step ? strategy(progress) : 0, {
    description: { until: step },
  });
}
