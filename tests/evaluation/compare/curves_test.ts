import { assertEquals } from "@std/assert";
import { curveOf, pathOf, summarize } from "../../../evaluation/compare/curves.ts";

const groupOf = (...runs: Record<number, Record<string, number>>[]) => ({
  name: "group",
  runs: runs.map((rows, index) => ({
    name: `run${index}`,
    config: {},
    metrics: Object.entries(rows).map(([step, row]) => ({ step: Number(step), ...row })),
  })),
});

Deno.test("summarize gives no interval for a single value", () => {
  assertEquals(summarize([0.3]), { mean: 0.3 });
  assertEquals(summarize([2, 2]), { mean: 2, low: 2, high: 2 });
});

Deno.test("curveOf averages over seeds at the steps that all of them have", () => {
  const group = groupOf({ 1: { loss: 1 }, 2: { loss: 2 }, 3: { loss: 5 } }, {
    1: { loss: 3 },
    2: { loss: 2 },
  });
  // Of two values, resampled, a quarter of the means is the lower one and a quarter the higher one.
  assertEquals(curveOf(group, "loss"), [{ x: 1, y: 2, low: 1, high: 3 }, { x: 2, y: 2, low: 2, high: 2 }]);
  assertEquals(curveOf(group, "other"), []);
});

Deno.test("pathOf pairs two metrics by step, not by place", () => {
  const group = groupOf(
    { 0: { kl: 0 }, 4: { kl: 1, accuracy: 0.6 }, 8: { kl: 3, accuracy: 0.8 } },
    { 4: { kl: 2, accuracy: 0.6 }, 6: { accuracy: 0.1 }, 8: { kl: 5, accuracy: 0.8 } },
  );
  assertEquals(pathOf(group, { x: "kl", y: "accuracy" }), [
    { x: 1.5, y: 0.6, low: 0.6, high: 0.6 },
    { x: 4, y: 0.8, low: 0.8, high: 0.8 },
  ]);
});
