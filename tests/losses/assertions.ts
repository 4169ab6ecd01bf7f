import { assert, assertEquals } from "@std/assert";
import type { NumberArray } from "../../losses/batch.ts";

/** Asserts that two arrays agree to within `tolerance`, relative to the larger of 1 and the expected size. */
export function assertClose(actual: NumberArray, expected: NumberArray, tolerance = 1e-12): void {
  assertEquals(actual.length, expected.length, "lengths differ");
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    const allowed = tolerance * Math.max(1, Math.abs(expected[i]!));
    assert(
      difference <= allowed,
      `[${i}]: got ${actual[i]}, expected ${expected[i]}, differ by ${difference}`,
    );
  }
}

/** Asserts that a number is within a relative error of the expected one, however small that is. */
export function assertRelative(actual: number, expected: number, tolerance = 1e-14): void {
  const difference = Math.abs(actual - expected);
  assert(difference <= tolerance * Math.abs(expected), `got ${actual}, expected ${expected}`);
}

/** Central differences of `f` at `point`, of error about 1e-9 for the smooth functions of these tests. */
export function finiteDifferences(f: (point: Float64Array) => number, point: NumberArray): Float64Array {
  const step = 1e-4;
  return Float64Array.from(point, (_, index) => {
    // fourth order
    const at = (offset: number) => {
      const moved = Float64Array.from(point);
      moved[index]! += offset * step;
      return f(moved);
    };
    return (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * step);
  });
}
