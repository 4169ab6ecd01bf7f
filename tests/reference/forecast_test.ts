import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { adaptive } from "../../reference/adaptive.ts";
import { after } from "../../reference/after.ts";
import { bema } from "../../reference/bema.ts";
import { averageLag, countMostUpdates, countUpdates, describeUpdates } from "../../reference/forecast.ts";
import { frozen } from "../../reference/frozen.ts";
import { hard } from "../../reference/hard.ts";
import { perEpoch } from "../../reference/per_epoch.ts";
import { soft } from "../../reference/soft.ts";

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

Deno.test("averageLag of a moving average corrected for its bias is that of the loop it stands for", () => {
  // The policy at step t is t and the initial reference 0.
  const [every, totalSteps] = [3, 20];
  let [average, reference, total] = [0, 0, 0];
  for (let t = 1; t <= totalSteps; t++) {
    total += t - 1 - reference;
    if (t % every !== 0) continue;
    const [beta, bias] = [(10 + t) ** -0.5, (10 + t) ** -0.2];
    average = beta * t + (1 - beta) * average;
    reference = average + bias * (t - 0);
  }
  assertAlmostEquals(averageLag(bema({ every }), { totalSteps }), total / totalSteps, 1e-12);
});

Deno.test("forecasts of epochs need to know how long one is", () => {
  assertEquals(countUpdates(perEpoch(), { totalSteps: 35, stepsPerEpoch: 10 }), 3);
  assertEquals(describeUpdates(perEpoch(), { totalSteps: 30, stepsPerEpoch: 10 }), "3 updates in this run");
  assertEquals(describeUpdates(perEpoch(), { totalSteps: 10, stepsPerEpoch: 10 }), "1 update in this run");
  assertThrows(() => countUpdates(perEpoch(), { totalSteps: 35 }), Error, "stepsPerEpoch");
});

Deno.test("forecasts of an adaptive strategy say when, and how often at most", () => {
  const kl = adaptive({ measure: "kl", bound: 5, spacing: 10, average: 4 });
  assertEquals(countUpdates(kl, { totalSteps: 100 }), undefined);
  assertEquals(countMostUpdates(kl, { totalSteps: 100 }), 10);
  // Four measurements after the last update, seen four steps late, take 8 steps; a spacing of 2 doesn't make them 2.
  const close = adaptive({ measure: "kl", bound: 5, spacing: 2, average: 4 });
  assertEquals(countMostUpdates(close, { totalSteps: 100, measuredAfter: 4 }), 12);
  assertEquals(countMostUpdates(after(close, { step: 90 }), { totalSteps: 100, measuredAfter: 4 }), 2); // 91, 99
  const words = (measure: "kl" | "margin" | "curvature", bound: number) =>
    describeUpdates(adaptive({ measure, bound }), { totalSteps: 64 });
  assertEquals(words("kl", 5), "an update whenever KL passes 5 nats, at most 4 in this run");
  assertEquals(words("margin", 2), "an update whenever the margin passes 2, at most 4 in this run");
  assertEquals(
    words("curvature", 0.2),
    "an update whenever the curvature falls below 0.2, at most 4 in this run",
  );
});

Deno.test("an adaptive strategy of the longest average is forecast from no more measurements than it is shown", () => {
  const strategy = adaptive({ measure: "kl", bound: 5, spacing: 1, average: 64 });
  assertEquals(countMostUpdates(strategy, { totalSteps: 135, measuredAfter: 4 }), 1); // at 68 and at 136
  assertEquals(countMostUpdates(strategy, { totalSteps: 136, measuredAfter: 4 }), 2);
});
