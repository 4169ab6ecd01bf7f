import { assertEquals, assertThrows } from "@std/assert";
import { hard } from "../../reference/hard.ts";

Deno.test("hard copies after every so many steps and never at step 0", () => {
  const strategy = hard({ every: 2 });
  assertEquals([0, 1, 2, 3, 4].map((step) => strategy({ step, totalSteps: 4 })), [0, 0, 1, 0, 1]);
});

Deno.test("hard describes itself for logs", () => {
  assertEquals(hard({ every: 512 }).description, { name: "hard", every: 512 });
});

Deno.test("hard rejects a copy at every step and says why", () => {
  assertThrows(() => hard({ every: 1 }), RangeError, "removes the regularizer");
});

Deno.test("hard rejects steps that are not whole", () => {
  for (const every of [0, 2.5, NaN]) {
    assertThrows(() => hard({ every }), RangeError, "hard: every must be a whole number");
  }
});
