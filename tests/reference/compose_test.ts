/** Strategies made of others: `after`, `until`, `withOptimizerReset`. */
import { assertEquals, assertThrows } from "@std/assert";
import { adaptive } from "../../reference/adaptive.ts";
import { after } from "../../reference/after.ts";
import { bema } from "../../reference/bema.ts";
import { frozen } from "../../reference/frozen.ts";
import { hard } from "../../reference/hard.ts";
import { withOptimizerReset } from "../../reference/optimizer_reset.ts";
import { perEpoch } from "../../reference/per_epoch.ts";
import { scheduled } from "../../reference/scheduled.ts";
import { soft } from "../../reference/soft.ts";
import { until } from "../../reference/until.ts";

const at = (strategy: ReturnType<typeof hard>) =>
  [1, 2, 3, 4, 5, 6, 7, 8].map((step) => strategy({ step, totalSteps: 8 }));

Deno.test("after and until cut off both ends of a strategy's updates and leave its clock alone", () => {
  const strategy = hard({ every: 2 });
  assertEquals(at(after(strategy, { step: 3 })), [0, 0, 0, 1, 0, 1, 0, 1]);
  assertEquals(at(after(strategy, { step: 4 })), [0, 0, 0, 0, 0, 1, 0, 1]);
  assertEquals(at(until(strategy, { step: 4 })), [0, 1, 0, 1, 0, 0, 0, 0]);
  assertEquals(at(until(after(strategy, { step: 2 }), { step: 6 })), [0, 0, 0, 1, 0, 1, 0, 0]);
  assertEquals(at(after(strategy, { step: 0 })), at(strategy));
});

Deno.test("compositions describe themselves and keep what the strategy is", () => {
  const average = bema({ every: 2 });
  const strategy = until(after(average, { step: 3 }), { step: 6 });
  assertEquals(strategy.description, { ...average.description, after: 3, until: 6 });
  assertEquals(strategy.bias, average.bias);
  assertEquals(strategy.copies, false);
  const trigger = adaptive({ measure: "kl", bound: 5 });
  const reset = after(withOptimizerReset(trigger), { step: 3 });
  assertEquals(reset.trigger, trigger.trigger);
  assertEquals(reset.resetsOptimizer, true);
  assertEquals(withOptimizerReset(hard({ every: 4 })).description, {
    name: "hard",
    every: 4,
    optimizer: "reset",
  });
});

Deno.test("withOptimizerReset updates as the strategy does, and refuses one that never copies", () => {
  assertEquals(at(withOptimizerReset(hard({ every: 2 }))), at(hard({ every: 2 })));
  withOptimizerReset(soft({ alpha: 1, every: 2 }));
  withOptimizerReset(perEpoch());
  const mixing = [
    frozen(),
    soft({ alpha: 0.9, every: 2 }),
    perEpoch({ alpha: 0.9 }),
    adaptive({ measure: "kl", bound: 5, alpha: 0.9 }),
    bema({ every: 2 }),
    scheduled({ alphaStart: 0, alphaEnd: 1, schedule: "linear", every: 2 }),
  ];
  for (const strategy of mixing) {
    assertThrows(() => withOptimizerReset(strategy), RangeError, "never copies the policy");
  }
});

Deno.test("after and until reject steps that are not whole", () => {
  for (const step of [-1, 0.5, NaN]) {
    assertThrows(() => after(frozen(), { step }), RangeError, "after: step must be a whole number");
    assertThrows(() => until(frozen(), { step }), RangeError, "until: step must be a whole number");
  }
});
