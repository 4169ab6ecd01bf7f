import { assertEquals, assertThrows } from "@std/assert";
import { soft } from "../../reference/soft.ts";

Deno.test("soft mixes with alpha after every so many steps and never at step 0", () => {
  const strategy = soft({ alpha: 0.6, every: 3 });
  const alphas = [0, 1, 2, 3, 4, 5, 6].map((step) => strategy({ step, totalSteps: 6 }));
  assertEquals(alphas, [0, 0, 0, 0.6, 0, 0, 0.6]);
});

Deno.test("soft describes itself for logs", () => {
  assertEquals(soft({ alpha: 0.6, every: 64 }).description, { name: "soft", alpha: 0.6, every: 64 });
});

Deno.test("soft rejects alpha 1 at every step and says why", () => {
  assertThrows(() => soft({ alpha: 1, every: 1 }), RangeError, "removes the regularizer");
  assertEquals(soft({ alpha: 1, every: 2 })({ step: 2, totalSteps: 2 }), 1);
});

Deno.test("soft rejects alpha outside (0, 1] and steps that are not whole", () => {
  for (const alpha of [0, -0.1, 1.1, NaN]) {
    assertThrows(
      () => soft({ alpha, every: 4 }),
      RangeError,
      `alpha must be above 0 and at most 1, got ${alpha}`,
    );
  }
  for (const every of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => soft({ alpha: 0.5, every }), RangeError, "soft: every must be a whole number");
  }
});
