import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { bema } from "../../reference/bema.ts";

Deno.test("bema's average and correction slow down by their powers", () => {
  const strategy = bema({ every: 6, emaPower: 0.5, biasPower: 0.25, lag: 4, multiplier: 2 });
  const at = (step: number) => ({ step, totalSteps: 99 });
  assertEquals([1, 5, 7].map((step) => strategy(at(step))), [0, 0, 0]);
  assertAlmostEquals(strategy(at(6)), 1 / 4, 1e-15); // 4 + 2 · 6 = 16
  assertAlmostEquals(strategy.bias!(at(6)), 1 / 2, 1e-15);
  assertAlmostEquals(strategy(at(126)), 1 / 16, 1e-15); // 4 + 2 · 126 = 256
  assertAlmostEquals(strategy.bias!(at(126)), 1 / 4, 1e-15);
});

Deno.test("bema's defaults are those that the authors and TRL have", () => {
  const strategy = bema({ every: 1 });
  // (10 + t)^−0.5 and (10 + t)^−0.2 at t = 22: 32^−0.2 = 1/2.
  assertAlmostEquals(strategy({ step: 22, totalSteps: 99 }), 1 / Math.sqrt(32), 1e-15);
  assertAlmostEquals(strategy.bias!({ step: 22, totalSteps: 99 }), 0.5, 1e-15);
});

Deno.test("bema describes itself for logs", () => {
  assertEquals(bema({ every: 64 }).description, {
    name: "bema",
    every: 64,
    alpha: "(10 + t)^-0.5",
    bias: "(10 + t)^-0.2",
  });
  assertEquals(bema({ every: 64, multiplier: 0.1 }).description.alpha, "(10 + 0.1 t)^-0.5");
});

Deno.test("bema rejects options out of range", () => {
  for (
    const [name, values] of [["emaPower", [0, 1.1]], ["biasPower", [0, 1.1]], ["lag", [
      0.9,
      Infinity,
    ]]] as const
  ) {
    for (const value of values) {
      assertThrows(() => bema({ every: 1, [name]: value }), RangeError, `bema: ${name} must be`);
    }
  }
  assertThrows(
    () => bema({ every: 1, multiplier: 0 }),
    RangeError,
    "multiplier must be a number above 0, got 0",
  );
  assertThrows(() => bema({ every: 0.5 }), RangeError, "bema: every must be a whole number");
});
