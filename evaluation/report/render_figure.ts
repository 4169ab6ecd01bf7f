import type { Comparison, Curve, Figure } from "./figures.ts";
import { escapeHtml, formatNumber } from "./html.ts";
import { type Line, lineChart } from "./line_chart.ts";
import { countNotFinite, downsample, extentOf, movingMean, type Point, pointsOf } from "./points.ts";
import type { MetricRow } from "./types.ts";

/** What all figures of a report have in common. */
export interface FigureContext {
  /** All rows, in order of steps, at least one. */
  rows: readonly MetricRow[];
  /** Steps to mark because the reference moved after them. */
  rules: readonly number[];
  /** Values to mark where the metric of that name is drawn. */
  bounds: Readonly<Record<string, number>>;
}

const MOST_POINTS = 400;
const MOST_MEANS = 200;
/** A curve of fewer points is drawn as it is, without a mean. */
const FEWEST_TO_AVERAGE = 100;
/** More dots than this would run into each other. */
const MOST_DOTS = 40;
/** Two figures share a scale up to this ratio of their extents; beyond it the flatter one would be a straight line. */
const LARGEST_RATIO = 12;

/** Renders one figure; empty if it has no data. */
export function renderFigure(figure: Figure, context: FigureContext): string {
  return render(figure, { ...context, values: valuesOf(figure, context) });
}

/** Renders two figures to compare, and says whether they have the same scale; leaves out what has no data. */
export function renderComparison([first, second]: Comparison, context: FigureContext): string {
  const [a, b] = [valuesOf(first, context), valuesOf(second, context)];
  if (a.length === 0 || b.length === 0) return renderFigure(first, context) + renderFigure(second, context);
  const [small, large] = [extentOf(a), extentOf(b)].sort((x, y) => x - y) as [number, number];
  const oneScale = large <= small * LARGEST_RATIO;
  const scaleNote = oneScale
    ? " Drawn on the scale of the plot before."
    : " Mind the scale: it differs from the plot before.";
  return render(first, { ...context, values: oneScale ? [...a, ...b] : a }) +
    render({ ...second, reading: second.reading + scaleNote }, {
      ...context,
      values: oneScale ? [...a, ...b] : b,
    });
}

/** Draws a figure whose vertical axis covers `values`. */
function render(
  figure: Figure,
  { rows, rules, bounds, values }: FigureContext & { values: readonly number[] },
): string {
  const drawn = figure.curves
    .map((curve) => drawCurve(curve, { rows, rules }))
    .filter((curve) => curve.lines.length > 0);
  if (drawn.length === 0) return "";
  const chart = lineChart(drawn.flatMap(({ lines }) => lines), {
    label: `${figure.title} over optimizer steps`,
    steps: [rows[0]!.step, rows.at(-1)!.step],
    values,
    rules,
    levels: boundsOf(figure, bounds),
  });
  const legend = drawn.map(({ legendEntry }) => legendEntry).join("") +
    boundsOf(figure, bounds).map((bound) =>
      `<li>${swatchOf("level")}update beyond <b>${formatNumber(bound)}</b></li>`
    ).join("");
  return `<figure><h3>${escapeHtml(figure.title)}</h3><ul class="legend">${legend}</ul>${chart}` +
    `<figcaption>${escapeHtml(figure.reading)}</figcaption></figure>\n`;
}

/** Makes the lines of one curve, none if it has no data, and its entry in the legend with the latest value. */
function drawCurve(
  curve: Curve,
  { rows, rules }: Omit<FigureContext, "bounds">,
): { lines: Line[]; legendEntry: string } {
  const points = pointsOf(rows, curve.metric);
  const lines = curve.heldOut ? dotted(points, curve) : averaged(points, { curve, rules });
  const last = lines.at(-1)?.points.at(-1)?.[1];
  if (last === undefined) return { lines: [], legendEntry: "" };
  const notFinite = countNotFinite(rows, curve.metric);
  const warning = notFinite > 0 ? ` (not finite in ${notFinite} of the steps)` : "";
  return {
    lines,
    legendEntry: `<li>${swatchOf(classOf(curve))}${escapeHtml(curve.label)} <b>${
      formatNumber(last)
    }</b>${warning}</li>`,
  };
}

function swatchOf(className: string): string {
  return `<svg viewBox="0 0 28 12" aria-hidden="true"><path class="${className}" d="M2,6H26"/></svg>`;
}

function dotted(points: Point[], curve: Curve): Line[] {
  if (points.length === 0) return [];
  return [{
    className: classOf(curve),
    points: downsample(points, MOST_POINTS),
    dots: points.length <= MOST_DOTS,
  }];
}

function averaged(points: Point[], { curve, rules }: { curve: Curve; rules: readonly number[] }): Line[] {
  if (points.length === 0) return [];
  const className = classOf(curve);
  const raw = downsample(points, MOST_POINTS);
  if (curve.exact || points.length < FEWEST_TO_AVERAGE) {
    return [{ className, points: raw, dots: points.length === 1 }];
  }
  const mean = movingMean(points, {
    reach: Math.ceil(points.length / 50),
    breaks: curve.jumps ? rules : [],
  });
  return [{ className: `${className} raw`, points: raw }, {
    className,
    points: downsample(mean, MOST_MEANS),
  }];
}

function classOf({ tone, heldOut }: Curve): string {
  return heldOut ? `${tone} heldOut` : tone;
}

/** What the vertical axis has to reach; nothing for a figure without data. */
function valuesOf(figure: Figure, { rows, bounds }: FigureContext): number[] {
  const measured = figure.curves.flatMap(({ metric }) => pointsOf(rows, metric).map(([, value]) => value));
  return measured.length === 0 ? [] : [...measured, ...figure.reach ?? [], ...boundsOf(figure, bounds)];
}

function boundsOf({ curves }: Figure, bounds: FigureContext["bounds"]): number[] {
  return curves.flatMap(({ metric }) => bounds[metric] ?? []);
}
