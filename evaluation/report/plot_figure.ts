import type { PlotOptions, PlotPoint, PlotSeries } from "../plot/types.ts";
import type { Comparison, Curve, Figure } from "./figures.ts";
import { formatNumber } from "./html.ts";
import { countNotFinite, downsample, extentOf, movingMean, type Point, pointsOf } from "./points.ts";
import type { MetricRow } from "./types.ts";

/** What all figures of a report have in common. */
export interface FigureContext {
  /** All rows, in order of steps, at least one. */
  readonly rows: readonly MetricRow[];
  /** Steps to mark because the reference moved after them. */
  readonly rules: readonly number[];
  /** Values to mark where the metric of that name is drawn. */
  readonly bounds: Readonly<Record<string, number>>;
}

const MOST_POINTS = 400;
const MOST_MEANS = 200;
/** A curve of fewer points is drawn as it is, without a mean. */
const FEWEST_TO_AVERAGE = 100;
/** More dots than this would run into each other. */
const MOST_DOTS = 40;
/** Two figures share a scale up to this ratio of their extents; beyond it the flatter one would be a straight line. */
const LARGEST_RATIO = 12;

/** A figure as a plot; none if it has no data. */
export function plotFigure(figure: Figure, context: FigureContext): PlotOptions[] {
  return plot(figure, { ...context, reach: valuesOf(figure, context) });
}

/** Two figures to compare, which say whether they have the same scale; without those that have no data. */
export function plotComparison([first, second]: Comparison, context: FigureContext): PlotOptions[] {
  const [a, b] = [valuesOf(first, context), valuesOf(second, context)];
  if (a.length === 0 || b.length === 0) {
    return [...plotFigure(first, context), ...plotFigure(second, context)];
  }
  const [small, large] = [extentOf(a), extentOf(b)].sort((x, y) => x - y) as [number, number];
  const oneScale = large <= small * LARGEST_RATIO;
  const scaleNote = oneScale
    ? " Drawn on the scale of the plot before."
    : " Mind the scale: it differs from the plot before.";
  return [
    ...plot(first, { ...context, reach: oneScale ? [...a, ...b] : a }),
    ...plot({ ...second, reading: second.reading + scaleNote }, {
      ...context,
      reach: oneScale ? [...a, ...b] : b,
    }),
  ];
}

/** A plot whose vertical axis covers `reach`. */
function plot(
  { title, reading, curves }: Figure,
  { rows, rules, bounds, reach }: FigureContext & { reach: readonly number[] },
): PlotOptions[] {
  if (reach.length === 0) return [];
  const [low, high] = [reach.reduce((a, b) => Math.min(a, b)), reach.reduce((a, b) => Math.max(a, b))];
  return [{
    title,
    reading,
    x: { label: "", reach: [rows[0]!.step, Math.max(rows.at(-1)!.step, rows[0]!.step + 1)] },
    y: { label: "", reach: [low, high] },
    series: curves.flatMap((curve) => seriesOf(curve, { rows, rules })),
    rules: rules.map((x) => ({ x })),
    levels: boundsOf(curves, bounds).map((y) => ({ y, label: `update beyond ${formatNumber(y)}` })),
  }];
}

/** The series of one curve, none if it has no data; the legend shows the latest value. */
function seriesOf(
  curve: Curve,
  { rows, rules }: { rows: readonly MetricRow[]; rules: readonly number[] },
): PlotSeries[] {
  const { metric, label: name, tone, heldOut, exact, jumps } = curve;
  const points = pointsOf(rows, metric);
  if (points.length === 0) return [];
  const isAveraged = !heldOut && !exact && points.length >= FEWEST_TO_AVERAGE;
  const drawn = isAveraged
    ? movingMean(points, { reach: Math.ceil(points.length / 50), breaks: jumps ? rules : [] })
    : points;
  const notFinite = countNotFinite(rows, metric);
  const warning = notFinite > 0 ? ` (not finite in ${notFinite} of the steps)` : "";
  const series: PlotSeries = {
    name,
    tone,
    points: downsample(drawn, isAveraged ? MOST_MEANS : MOST_POINTS).map(pointAt),
    note: formatNumber(drawn.at(-1)![1]) + warning,
    ...(heldOut ? { dashed: true, marks: points.length <= MOST_DOTS ? "both" : "line" } as const : {}),
  };
  if (!isAveraged) return [series];
  return [{ name, tone, faint: true, points: downsample(points, MOST_POINTS).map(pointAt) }, series];
}

function pointAt([x, y]: Point): PlotPoint {
  return { x, y };
}

/** What the vertical axis has to reach; nothing for a figure without data. */
function valuesOf({ curves, reach = [] }: Figure, { rows, bounds }: FigureContext): number[] {
  const measured = curves.flatMap(({ metric }) => pointsOf(rows, metric).map(([, value]) => value));
  return measured.length === 0 ? [] : [...measured, ...reach, ...boundsOf(curves, bounds)];
}

function boundsOf(curves: readonly Curve[], bounds: FigureContext["bounds"]): number[] {
  return curves.flatMap(({ metric }) => bounds[metric] ?? []);
}
