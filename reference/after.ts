import { checkStep } from "./schedule.ts";
import { type ReferenceStrategy, varyStrategy } from "./strategy.ts";

/**
 * Holds back a strategy's updates until more than `step` optimizer steps are done, say those of the warm-up.
 *
 * The strategy's own clock runs on: `after(hard({ every: 64 }), { step: 100 })` updates at 128, 192, ….
 *
 * @throws {RangeError} If `step` is not a whole number of at least 0.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { after, hard } from "@tr/align/reference";
 *
 * const strategy = after(hard({ every: 64 }), { step: 100 });
 * assertEquals([64, 128].map((step) => strategy({ step, totalSteps: 500 })), [0, 1]);
 * ```
 */
export function after(strategy: ReferenceStrategy, { step }: { readonly step: number }): ReferenceStrategy {
  checkStep("after", step);
  return varyStrategy(strategy, (progress) => progress.step > step ? strategy(progress) : 0, {
    description: { after: step },
  });
}
