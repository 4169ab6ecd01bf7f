import type { MetricRow } from "./types.ts";

/** One measurement: the optimizer step and its value, finite. */
export type Point = readonly [step: number, value: number];

/** Takes the finite values of one metric out of the rows that have it. */
export function pointsOf(rows: readonly MetricRow[], name: string): Point[] {
  return rows.flatMap((row) => {
    const value = row[name];
    return typeof value === "number" && Number.isFinite(value) ? [[row.step, value] as const] : [];
  });
}

/** Counts the rows in which a metric is there but not a finite number. */
export function countNotFinite(rows: readonly MetricRow[], name: string): number {
  return rows.filter((row) => row[name] !== undefined && !Number.isFinite(row[name])).length;
}

/**
 * Thins out a curve to at most `limit` points but keeps its extremes: of each stretch only the lowest and the highest
 * point stay, so a single spike among thousands of steps is still drawn.
 *
 * @param points In order of steps.
 * @param limit At least 2.
 */
export function downsample(points: readonly Point[], limit: number): Point[] {
  if (points.length <= limit) return [...points];
  const stretches = Math.floor(limit / 2);
  return Array.from({ length: stretches }, (_, index) => {
    const start = Math.floor(index * points.length / stretches);
    const end = Math.floor((index + 1) * points.length / stretches);
    return extremes(points.slice(start, end));
  }).flat();
}

function extremes(stretch: readonly Point[]): Point[] {
  const byValue = stretch.toSorted((a, b) => a[1] - b[1]);
  return [byValue[0]!, byValue.at(-1)!].sort((a, b) => a[0] - b[0]);
}

/**
 * Averages each point with its neighbours but never across a break, so that a sawtooth keeps its teeth.
 *
 * @param points In order of steps.
 * @param options `reach` counts the neighbours on either side; `breaks` are steps after which a new stretch starts, in
 * order.
 */
export function movingMean(
  points: readonly Point[],
  { reach, breaks }: { reach: number; breaks: readonly number[] },
): Point[] {
  return split(points, breaks).flatMap((stretch) => {
    const sums = [0]; // sums[i] is the sum of the first i values
    for (const [, value] of stretch) sums.push(sums.at(-1)! + value);
    return stretch.map(([step], index) => {
      const start = Math.max(0, index - reach);
      const end = Math.min(stretch.length, index + reach + 1);
      return [step, (sums[end]! - sums[start]!) / (end - start)] as const;
    });
  });
}

function split(points: readonly Point[], breaks: readonly number[]): Point[][] {
  const stretches: Point[][] = [[]];
  let next = 0;
  for (const point of points) {
    const before = next;
    while (next < breaks.length && point[0] > breaks[next]!) next += 1;
    if (next > before) stretches.push([]);
    stretches.at(-1)!.push(point);
  }
  return stretches;
}

/** The distance between the lowest and the highest value; 0 if there are none. */
export function extentOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const [low, high] = rangeOf(values);
  return high - low;
}

/** The lowest and the highest of at least one value. */
export function rangeOf(values: readonly number[]): [low: number, high: number] {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}
