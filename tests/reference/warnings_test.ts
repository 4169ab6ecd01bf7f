import { assertEquals, assertStringIncludes } from "@std/assert";
import { adaptive } from "../../reference/adaptive.ts";
import { after } from "../../reference/after.ts";
import { bema } from "../../reference/bema.ts";
import { frozen } from "../../reference/frozen.ts";
import { hard } from "../../reference/hard.ts";
import { perEpoch } from "../../reference/per_epoch.ts";
import { soft } from "../../reference/soft.ts";
import { defineReferenceStrategy } from "../../reference/strategy.ts";
import { referenceWarnings } from "../../reference/warnings.ts";

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

Deno.test("referenceWarnings names an interval only to strategies that have one of their own", () => {
  assertEquals(referenceWarnings(perEpoch(), { totalSteps: 60, stepsPerEpoch: 61 }), [
    "reference epoch (alpha 1) never updates in this run of 60 steps",
  ]);
  assertEquals(referenceWarnings(perEpoch(), { totalSteps: 60, stepsPerEpoch: 60 }), [
    "reference epoch (alpha 1) updates only after the last of 60 steps, where no loss sees it",
  ]);
  assertEquals(referenceWarnings(after(hard({ every: 8 }), { step: 60 }), { totalSteps: 60 }), [
    "reference hard (every 8, after 60) never updates in this run of 60 steps",
  ]);
  const [short] = referenceWarnings(perEpoch(), { totalSteps: 60, stepsPerEpoch: 1 });
  assertStringIncludes(short!, "trails the policy by only 0.0 steps on average");
  assertStringIncludes(short!, "; take a smaller alpha");
});

Deno.test("referenceWarnings says of an adaptive strategy only that it can never update", () => {
  const strategy = adaptive({ measure: "kl", bound: 5, spacing: 16, average: 4 });
  assertEquals(referenceWarnings(strategy, { totalSteps: 17 }), []);
  const [never] = referenceWarnings(strategy, { totalSteps: 15 });
  assertStringIncludes(never!, "can never update in this run of 15 steps");
  const [last] = referenceWarnings(strategy, { totalSteps: 16 });
  assertStringIncludes(last!, "can update only after the last of 16 steps");
});

Deno.test("referenceWarnings finds a corrected average that is ahead of the policy", () => {
  assertEquals(referenceWarnings(bema({ every: 20 }), { totalSteps: 200 }), []);
  const [warning] = referenceWarnings(bema({ every: 1, lag: 1, emaPower: 0.1, biasPower: 0.1 }), {
    totalSteps: 200,
  });
  assertStringIncludes(warning!, "is ahead of the policy by");
});
