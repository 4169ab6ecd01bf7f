import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { estimate, estimateDifference, estimateRatio } from "../../evaluation/estimate.ts";

Deno.test("estimate joins mean, standard error and interval", () => {
  const { mean, standardError, interval, count } = estimate([2, 4, 4, 4, 5, 5, 7, 9]);
  assertEquals([mean, count], [5, 8]);
  // Python: statistics.stdev([2, 4, 4, 4, 5, 5, 7, 9]) / 8 ** 0.5
  assertAlmostEquals(standardError!, 0.7559289460184544, 1e-15);
  assert(interval[0] < 5 && 5 < interval[1]);
  assertEquals(estimate([3]), { mean: 3, standardError: null, interval: [3, 3], count: 1 });
});

Deno.test("estimateDifference pairs the records", () => {
  const a = [10, 200, 30, 400], b = [9, 198, 29, 398];
  const { mean, interval } = estimateDifference(a, b);
  assertEquals(mean, 1.5);
  assert(interval[0] >= 1 && interval[1] <= 2, `${interval}`); // unpaired, it would span hundreds
  assertThrows(() => estimateDifference([1, 2], [1]), RangeError, "2 and 1 values");
});

Deno.test("estimateRatio divides sums, not records", () => {
  // By hand (3 + 8 + 1 + 6) / (2 + 5 + 1 + 4); the standard error in Python from Cochran's formula:
  // e = [x - R * y for x, y in zip(a, b)]; sqrt(sum(x * x for x in e) / 3 / 4) / mean(b)
  const { mean, standardError, interval } = estimateRatio([3, 8, 1, 6], [2, 5, 1, 4]);
  assertEquals(mean, 1.5);
  assertAlmostEquals(standardError!, 0.06804138174397717, 1e-15);
  assert(interval[0] >= 1 && interval[0] < 1.5 && 1.5 < interval[1] && interval[1] <= 1.6, `${interval}`);
});

Deno.test("estimateRatio resamples records whole", () => {
  // Every record has the same ratio, so every resample has it too.
  assertEquals(estimateRatio([2, 20, 200], [1, 10, 100]).interval, [2, 2]);
});

Deno.test("estimateRatio refuses what it can't divide by", () => {
  assertThrows(() => estimateRatio([1], [0]), RangeError, "a denominator is 0");
  assertThrows(() => estimateRatio([1], [1, 2]), RangeError, "1 numerators and 2 denominators");
});
