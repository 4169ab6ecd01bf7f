import { assertEquals, assertThrows } from "@std/assert";
import { perEpoch } from "../../reference/per_epoch.ts";

Deno.test("perEpoch updates where an epoch ends and nowhere else", () => {
  for (const [strategy, alpha] of [[perEpoch(), 1], [perEpoch({ alpha: 0.5 }), 0.5]] as const) {
    assertEquals(strategy({ step: 10, totalSteps: 20, finishesEpoch: true }), alpha);
    assertEquals(strategy({ step: 10, totalSteps: 20, finishesEpoch: false }), 0);
  }
});

Deno.test("perEpoch doesn't guess whether an epoch ended", () => {
  assertThrows(() => perEpoch()({ step: 10, totalSteps: 20 }), Error, "give progress.finishesEpoch");
});

Deno.test("perEpoch describes itself and rejects alpha outside (0, 1]", () => {
  assertEquals(perEpoch().description, { name: "epoch", alpha: 1 });
  for (const alpha of [0, 1.1, NaN]) {
    assertThrows(() => perEpoch({ alpha }), RangeError, "perEpoch: alpha must be above 0 and at most 1");
  }
});
