// @ts-types="@types/d3-scale"
import { scaleLinear } from "d3-scale";
import { escapeHtml } from "./html.ts";
import { type Point, rangeOf } from "./points.ts";

/** A curve to draw. */
export interface Line {
  /** CSS classes; they give colour, width and dashes. */
  className: string;
  /** In order of steps. */
  points: readonly Point[];
  /** Whether each point gets a dot. */
  dots?: boolean;
}

/** What surrounds the curves. */
export interface ChartOptions {
  /** Read out in place of the picture. */
  label: string;
  /** Lowest and highest step. */
  steps: readonly [number, number];
  /** Values that the vertical axis must reach. */
  values: readonly number[];
  /** Steps to mark with a vertical rule. */
  rules: readonly number[];
  /** Values to mark with a horizontal line. */
  levels?: readonly number[];
}

// The drawing's own units, which are close to CSS pixels on a wide screen; on a phone the style sheet enlarges the text.
const WIDTH = 460;
const HEIGHT = 240;
const LEFT = 56;
const RIGHT = 436;
const TOP = 10;
const BOTTOM = 210;

/** Draws curves over optimizer steps as an SVG element whose colours come from the page's style sheet. */
export function lineChart(
  lines: readonly Line[],
  { label, steps, values, rules, levels = [] }: ChartOptions,
): string {
  const x = scaleLinear([steps[0], Math.max(steps[1], steps[0] + 1)], [LEFT, RIGHT]);
  const y = scaleLinear(spread(values), [BOTTOM, TOP]).nice(8);
  const xTicks = x.ticks(5).filter(Number.isInteger);
  const yTicks = y.ticks(4);
  const format = y.tickFormat(4, tickSpecifier(yTicks));
  const yText = (tick: number) => tick === 0 ? "0" : format(tick);
  const xText = x.tickFormat(5);

  const place = ([step, value]: Point) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`;
  const draw = ({ className, points, dots }: Line) =>
    `<path class="${className}" d="M${points.map(place).join("L")}"/>` +
    (dots
      ? `<path class="${className} dots" d="${points.map((point) => `M${place(point)}h0`).join("")}"/>`
      : "");

  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(label)}">`,
    `<path class="grid" d="${yTicks.map((tick) => `M${LEFT},${y(tick).toFixed(1)}H${RIGHT}`).join("")}"/>`,
    rules.length
      ? `<path class="rule" d="${rules.map((step) => `M${x(step).toFixed(1)},${TOP}V${BOTTOM}`).join("")}"/>`
      : "",
    yTicks.includes(0) ? `<path class="zero" d="M${LEFT},${y(0).toFixed(1)}H${RIGHT}"/>` : "",
    ...yTicks.map((tick) =>
      `<text class="y" x="${LEFT - 7}" y="${y(tick).toFixed(1)}">${yText(tick)}</text>`
    ),
    ...xTicks.map((tick) =>
      `<text class="x" x="${x(tick).toFixed(1)}" y="${BOTTOM + 19}">${xText(tick)}</text>`
    ),
    levels.length
      ? `<path class="level" d="${
        levels.map((level) => `M${LEFT},${y(level).toFixed(1)}H${RIGHT}`).join("")
      }"/>`
      : "",
    ...lines.map(draw),
    "</svg>",
  ].join("");
}

/** Lowest and highest value, apart even where all are equal. */
function spread(values: readonly number[]): [number, number] {
  const [low, high] = rangeOf(values);
  if (low < high) return [low, high];
  const room = Math.abs(low) / 10 || 1;
  return [low - room, high + room];
}

/** Picks the tick format: very small and very large numbers are written short, as 5e-7 and 20k, to fit the margin. */
function tickSpecifier(ticks: readonly number[]): string | undefined {
  const size = ticks.reduce((most, tick) => Math.max(most, Math.abs(tick)), 0);
  if (size < 1e-2) return "~e";
  return size >= 1e4 ? "~s" : undefined;
}
