import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { adaptive } from "../../reference/adaptive.ts";
import type { Measurement } from "../../reference/strategy.ts";

/** Measurements of the steps from 11 on, all of one kind. */
const measured = (measure: "kl" | "margin" | "curvature", values: readonly number[]): Measurement[] =>
  values.map((value, i) => ({ step: 11 + i, kl: 0, [measure]: value }));

Deno.test("adaptive updates when the mean of the latest measurements crosses the bound", () => {
  const rows = [
    // measure, bound, what was measured, its mean over the last two, α
    ["kl", 5, [9, 9, 4, 6], 5, 0], // at the bound is not beyond it
    ["kl", 5, [0, 0, 4, 6.5], 5.25, 0.7],
    ["kl", 5, [6, 6, 6, 3], 4.5, 0],
    ["margin", 1, [-4, 1, 2], 1.5, 0.7],
    ["margin", 1, [9, -9, 2], -3.5, 0],
    ["curvature", 0.2, [0.25, 0.2, 0.1], 0.15, 0.7],
    ["curvature", 0.2, [0.1, 0.2, 0.25], 0.225, 0],
  ] as const;
  for (const [measure, bound, values, mean, alpha] of rows) {
    const strategy = adaptive({ measure, bound, spacing: 1, average: 2, alpha: 0.7 });
    const progress = { step: 20, totalSteps: 99, lastUpdate: 10, measured: measured(measure, values) };
    assertAlmostEquals(strategy.trigger!.value(progress)!, mean, 1e-12);
    assertEquals(strategy(progress), alpha, `${measure} ${values}`);
  }
});

Deno.test("adaptive waits for its spacing after the last update, or after the start", () => {
  const strategy = adaptive({ measure: "kl", bound: 5, spacing: 8, average: 1 });
  const at = (step: number, lastUpdate?: number) =>
    strategy({
      step,
      totalSteps: 99,
      ...(lastUpdate === undefined ? {} : { lastUpdate }),
      measured: measured("kl", [6]),
    });
  assertEquals([17, 18, 19].map((step) => at(step, 10)), [0, 1, 1]);
  assertEquals([7, 8].map((step) => at(step)), [0, 1]);
});

Deno.test("adaptive waits until it has as many measurements as it averages", () => {
  const strategy = adaptive({ measure: "margin", bound: 1, spacing: 1, average: 3 });
  const at = (list: readonly Measurement[]) => strategy({ step: 20, totalSteps: 99, measured: list });
  assertEquals(at([]), 0);
  assertEquals(at(measured("margin", [9, 9])), 0);
  assertEquals(at(measured("margin", [9, 9, 9])), 1);
  assertEquals(at([...measured("margin", [9, 9]), { step: 13, kl: 9 }]), 0); // a batch without a margin
  assertEquals(at([...measured("margin", [9, 9]), { step: 13, kl: 9 }, { step: 14, kl: 9, margin: 9 }]), 1);
  assertEquals(strategy({ step: 20, totalSteps: 99 }), 0);
  assertEquals(strategy.trigger!.value({ step: 20, totalSteps: 99 }), undefined);
});

Deno.test("adaptive has defaults and describes itself for logs", () => {
  assertEquals(adaptive({ measure: "kl", bound: 5 }).description, {
    name: "adaptive",
    measure: "kl",
    bound: 5,
    spacing: 16,
    average: 4,
    alpha: 1,
  });
});

Deno.test("adaptive rejects options out of range, and a curvature that every step is below", () => {
  const options = { measure: "kl", bound: 5 } as const;
  for (const bound of [0, -1, NaN, Infinity]) {
    assertThrows(() => adaptive({ ...options, bound }), RangeError, "bound must be a number above 0");
  }
  assertThrows(
    () => adaptive({ measure: "curvature", bound: 0.25 }),
    RangeError,
    "bound must be below 0.25 for curvature, got 0.25",
  );
  assertEquals(adaptive({ measure: "margin", bound: 0.25 }).description.bound, 0.25);
  for (const spacing of [0, 1.5]) {
    assertThrows(() => adaptive({ ...options, spacing }), RangeError, "spacing must be a whole number");
  }
  for (const average of [0, 65, 1.5]) {
    assertThrows(() => adaptive({ ...options, average }), RangeError, "average must be a whole number");
  }
  assertThrows(() => adaptive({ ...options, alpha: 0 }), RangeError, "adaptive: alpha must be above 0");
});
