import * as Plot from "@observablehq/plot";
import { colorOf } from "./theme.ts";
import type { PlotPoint, PlotSeries, Tone } from "./types.ts";

/** How a series is to be drawn, apart from what it says itself. */
export interface MarkOptions {
  /** Its colour. */
  readonly tone: Tone;
  /** Whether a point has a place on the axes. */
  readonly isDrawable: (point: PlotPoint) => boolean;
  /** The lowest that an interval may reach. */
  readonly floor: number;
}

/** The marks of one series, from back to front; none if it has no finite point. */
export function marksOf(series: PlotSeries, { tone, isDrawable, floor }: MarkOptions): Plot.Markish[] {
  const { points, marks = "line", dashed = false, faint = false } = series;
  const drawable = points.filter(isDrawable);
  if (drawable.length === 0) return [];
  const color = colorOf(tone);
  const intervals = drawable.filter(hasInterval).map(({ x, low, high }) => ({
    x,
    low: Math.max(low!, floor),
    high,
  }));
  const withBand = marks === "line" && intervals.length > 1 && isAscending(intervals);
  const gaps = points.map((point) => isDrawable(point) ? point : { x: point.x, y: NaN });
  return [
    withBand
      ? Plot.areaY(intervals, {
        x: "x",
        y1: "low",
        y2: "high",
        fill: color,
        fillOpacity: 0.16,
        className: "band",
      })
      : Plot.ruleX(intervals, {
        x: "x",
        y1: "low",
        y2: "high",
        stroke: color,
        strokeWidth: 1.5,
        className: "whisker",
      }),
    marks === "dots" ? null : Plot.line(gaps, {
      x: "x",
      y: "y",
      stroke: color,
      strokeWidth: faint ? 1 : 2,
      strokeOpacity: faint ? 0.35 : 1,
      strokeDasharray: dashed ? "5 4" : "none",
      className: "line",
    }),
    marks === "line" && drawable.length > 1 ? null : Plot.dot(drawable, {
      x: "x",
      y: "y",
      r: faint ? 2 : 3.5,
      fill: color,
      fillOpacity: faint ? 0.35 : 1,
      stroke: "var(--card)",
      strokeWidth: 1,
      className: "dot",
    }),
  ];
}

function hasInterval({ low, high }: PlotPoint): boolean {
  return Number.isFinite(low) && Number.isFinite(high);
}

function isAscending(points: readonly { x: number }[]): boolean {
  return points.every(({ x }, index) => index === 0 || x >= points[index - 1]!.x);
}
