import { assertEquals } from "@std/assert";
import {
  countNotFinite,
  downsample,
  movingMean,
  type Point,
  pointsOf,
} from "../../../evaluation/report/points.ts";

Deno.test("pointsOf takes finite values, countNotFinite counts the others that are there", () => {
  const rows = [{ step: 1, a: 5 }, { step: 2 }, { step: 3, a: null }, { step: 4, a: NaN }, {
    step: 5,
    a: -1,
  }];
  assertEquals(pointsOf(rows, "a"), [[1, 5], [5, -1]]);
  assertEquals(countNotFinite(rows, "a"), 2);
});

Deno.test("downsample keeps within its limit, in order, and never loses the extremes", () => {
  const points: Point[] = Array.from({ length: 10_001 }, (_, step) => [step, step % 7]);
  points[5003] = [5003, 99];
  points[7001] = [7001, -99];
  const fewer = downsample(points, 400);
  assertEquals(fewer.length, 400);
  assertEquals(fewer.filter(([, value]) => Math.abs(value) === 99), [[5003, 99], [7001, -99]]);
  assertEquals(fewer.map(([step]) => step), fewer.map(([step]) => step).toSorted((a, b) => a - b));
});

Deno.test("downsample leaves a short curve alone", () => {
  assertEquals(downsample([[1, 3], [2, 1]], 2), [[1, 3], [2, 1]]);
});

Deno.test("movingMean averages neighbours, but not across a break", () => {
  const points: Point[] = [[1, 0], [2, 3], [3, 6], [4, 90], [5, 96]];
  // By hand: within 1 … 3, then within 4 … 5.
  assertEquals(movingMean(points, { reach: 1, breaks: [3] }), [[1, 1.5], [2, 3], [3, 4.5], [4, 93], [5, 93]]);
  assertEquals(movingMean(points, { reach: 0, breaks: [] }), points);
});

Deno.test("movingMean copes with breaks before, between and after the points", () => {
  const points: Point[] = [[10, 1], [20, 2], [30, 3]];
  assertEquals(movingMean(points, { reach: 5, breaks: [1, 2, 12, 14, 99] }), [[10, 1], [20, 2.5], [30, 2.5]]);
  assertEquals(movingMean([], { reach: 5, breaks: [1] }), []);
});
