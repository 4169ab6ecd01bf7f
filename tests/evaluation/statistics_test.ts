import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { bootstrapInterval, mean, standardError } from "../../evaluation/statistics.ts";

Deno.test("mean averages and refuses nothing", () => {
  assertEquals(mean([1, 2, 6]), 3);
  assertThrows(() => mean([]), RangeError, "no values");
});

Deno.test("standardError divides by n - 1", () => {
  // Python: statistics.stdev([2, 4, 4, 4, 5, 5, 7, 9]) / 8 ** 0.5
  assertAlmostEquals(standardError([2, 4, 4, 4, 5, 5, 7, 9]), 0.7559289460184544, 1e-15);
  assertThrows(() => standardError([1]), RangeError, "at least two");
});

Deno.test("bootstrapInterval of a coin's throws matches the binomial distribution", () => {
  // Of 100 throws, 30 heads. Resampled, the count of heads is binomial with n = 100 and p = 0.3, whose 2.5 % and
  // 97.5 % quantiles are 21 and 39; one more or fewer is left to chance.
  const throws = Array.from({ length: 100 }, (_, index) => index < 30 ? 1 : 0);
  for (const seed of [0, 1, 2]) {
    const [low, high] = bootstrapInterval(throws, { seed });
    assert(Math.abs(low - 0.21) < 0.0101 && Math.abs(high - 0.39) < 0.0101, `${low} to ${high}`);
  }
});

Deno.test("bootstrapInterval depends on its seed and nothing else", () => {
  const values = [0.3, 1.7, 2.2, -0.5, 0.9];
  assertEquals(bootstrapInterval(values, { seed: 3 }), bootstrapInterval(values, { seed: 3 }));
  const few = { resamples: 50 };
  assert(
    bootstrapInterval(values, { ...few, seed: 3 }).join() !==
      bootstrapInterval(values, { ...few, seed: 4 }).join(),
  );
});

Deno.test("bootstrapInterval widens with confidence and is a point for equal values", () => {
  const values = [0.3, 1.7, 2.2, -0.5, 0.9];
  const width = (confidence: number) => {
    const [low, high] = bootstrapInterval(values, { confidence });
    return high - low;
  };
  assert(width(0.5) < width(0.9) && width(0.9) < width(0.99));
  assertEquals(bootstrapInterval([2, 2, 2]), [2, 2]);
});

Deno.test("bootstrapInterval refuses options out of range", () => {
  assertThrows(() => bootstrapInterval([]), RangeError, "no values");
  assertThrows(() => bootstrapInterval([1], { confidence: 95 }), RangeError, "confidence is 95");
  assertThrows(() => bootstrapInterval([1], { resamples: 0 }), RangeError, "resamples is 0");
});
