import { assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { averageLag, countUpdates, referenceWarnings } from "../../reference/forecast.ts";
import { frozen } from "../../reference/frozen.ts";
import { hard } from "../../reference/hard.ts";
import { soft } from "../../reference/soft.ts";
import { defineReferenceStrategy } from "../../reference/strategy.ts";

Deno.test("countUpdates counts an update after the last step", () => {
  assertEquals(countUpdates(hard({ every: 3 }), { totalSteps: 6 }), 2);
  assertEquals(countUpdates(soft({ alpha: 0.5, every: 3 }), { totalSteps: 8 }), 2);
});

Deno.test("averageLag of a long run is every (1 - alpha) / alpha + (every - 1) / 2", () => {
  for (const [alpha, every] of [[0.6, 1], [0.5, 4], [0.1, 16], [1, 50]] as const) {
    const lag = averageLag(soft({ alpha, every }), { totalSteps: 200_000 });
    assertAlmostEquals(lag, every * (1 - alpha) / alpha + (every - 1) / 2, lag * 1e-3);
  }
});

Deno.test("averageLag of a frozen reference is half the run", () => {
  assertEquals(averageLag(frozen(), { totalSteps: 101 }), 50); // 0, 1, …, 100
});

Deno.test("referenceWarnings finds updates that never come and names intervals that fit", () => {
  const [warning, ...others] = referenceWarnings(hard({ every: 512 }), { totalSteps: 478 });
  assertEquals(others, []);
  assertStringIncludes(warning!, "reference hard (every 512) never updates in this run of 478 steps");
  assertStringIncludes(warning!, "every from 54 to 159 gives 8 to 3 updates");
  assertEquals([53, 54, 159, 160].map((every) => Math.floor(478 / every)), [9, 8, 3, 2]);
});

Deno.test("referenceWarnings in a run too short for updates gives no interval", () => {
  const [warning] = referenceWarnings(hard({ every: 8 }), { totalSteps: 4 });
  assertEquals(warning, "reference hard (every 8) never updates in this run of 4 steps");
});

Deno.test("referenceWarnings finds an update that no loss sees", () => {
  const [warning] = referenceWarnings(hard({ every: 100 }), { totalSteps: 100 });
  assertStringIncludes(warning!, "only after the last of 100 steps");
});

Deno.test("referenceWarnings finds a reference that trails by about a step or less", () => {
  const [warning] = referenceWarnings(soft({ alpha: 0.6, every: 1 }), { totalSteps: 500 });
  assertStringIncludes(warning!, "reference soft (alpha 0.6, every 1) trails the policy by only 0.7 steps");
  assertEquals(referenceWarnings(hard({ every: 2 }), { totalSteps: 500 }).length, 1);
});

Deno.test("referenceWarnings has nothing against a frozen reference and the paper's settings", () => {
  assertEquals(referenceWarnings(frozen(), { totalSteps: 1 }), []);
  assertEquals(referenceWarnings(hard({ every: 512 }), { totalSteps: 2000 }), []);
  assertEquals(referenceWarnings(soft({ alpha: 0.6, every: 64 }), { totalSteps: 500 }), []);
});

Deno.test("referenceWarnings serves strategies of one's own", () => {
  const always = defineReferenceStrategy(() => 0.9, { name: "mine" });
  assertStringIncludes(referenceWarnings(always, { totalSteps: 50 })[0]!, "reference mine trails the policy");
});
