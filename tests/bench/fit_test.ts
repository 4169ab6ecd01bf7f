import { assertAlmostEquals, assertThrows } from "@std/assert";
import { growthExponent } from "../../bench/fit.ts";

Deno.test("growthExponent finds the power of a power law, whatever its factor", () => {
  for (const power of [0, 0.5, 1, 2]) {
    const points = [64, 128, 256, 512].map((x) => [x, 7 * x ** power] as const);
    assertAlmostEquals(growthExponent(points), power, 1e-12);
  }
});

Deno.test("growthExponent is the slope of the least-squares line in logarithms", () => {
  // By hand in powers of e: x = 0, 1, 2 and y = 0, 2, 1. Deviations (−1, 0, 1) and (−1, 1, 0), slope 1 / 2.
  const points = [[0, 0], [1, 2], [2, 1]].map(([x, y]) => [Math.exp(x!), Math.exp(y!)] as const);
  assertAlmostEquals(growthExponent(points), 0.5, 1e-12);
});

Deno.test("growthExponent wants two places and positive numbers", () => {
  for (const points of [[], [[1, 1]], [[2, 1], [2, 3]], [[1, 0], [2, 1]], [[-1, 1], [2, 1]]]) {
    assertThrows(
      () => growthExponent(points as [number, number][]),
      RangeError,
      "positive numbers at two places",
    );
  }
});
