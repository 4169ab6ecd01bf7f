import * as Plot from "@observablehq/plot";
import { DOMParser } from "linkedom";
import { formatNumber } from "../report/html.ts";
import { type Domain, isDrawable } from "./domain.ts";
import { marksOf } from "./marks.ts";
import type { PlotAxis, PlotOptions, Tone } from "./types.ts";

/** Where a chart stands, and what its axes span. */
export interface ChartPlace {
  /** Width in units. */
  readonly width: number;
  /** Height in units. */
  readonly height: number;
  /** Span of both axes; the vertical one is widened to round numbers. */
  readonly domains: { readonly x: Domain; readonly y: Domain };
  /** Colours by series name. */
  readonly tones: ReadonlyMap<string, Tone>;
  /** Further attributes of the element, such as `x` and `y`. */
  readonly attributes?: Readonly<Record<string, string | number>>;
}

/** What of the document model the drawing needs. */
interface SvgElement {
  readonly outerHTML: string;
  readonly attributes: Iterable<{ readonly name: string; value: string }>;
  setAttribute(name: string, value: string): void;
  querySelector(selector: string): { remove(): void } | null;
  querySelectorAll(selector: string): Iterable<SvgElement>;
}

const [LEFT, RIGHT, TOP, BOTTOM] = [60, 20, 14, 28];
/** Room that an axis' label takes. */
const LABEL_ROOM = 20;
/** Units between two ticks. */
const TICK_SPACING = { x: 95, y: 46 };

const xmlDocument = new DOMParser().parseFromString("<svg/>", "image/svg+xml");

/**
 * Draws axes, rules and series as one SVG element, without title and legend.
 *
 * Its colours are CSS variables (`themeStyle`), and its text is styled by `.chart text`. The same plot always gives the
 * same text.
 */
export function drawChart(plot: PlotOptions, place: ChartPlace): string {
  const { width, height, domains, tones } = place;
  const { x, y, rules = [], levels = [] } = plot;
  const [yLow, yHigh] = domains.y;
  const shown = rules.filter((rule) => domains.x[0] <= rule.x && rule.x <= domains.x[1]);
  const svg = Plot.plot({
    document: xmlDocument as never,
    className: "chart",
    width,
    height,
    marginLeft: LEFT,
    marginRight: RIGHT,
    marginTop: TOP + (y.label || shown.some(({ label }) => label) ? LABEL_ROOM : 0),
    marginBottom: BOTTOM + (x.label ? LABEL_ROOM : 0),
    ariaLabel: `${plot.title}: ${
      plot.series.filter(({ faint }) => !faint).map(({ name }) => name).join(", ")
    }`,
    x: { domain: domains.x, type: x.log ? "log" : "linear" },
    y: { domain: domains.y, type: y.log ? "log" : "linear", nice: y.log ? false : 8 },
    marks: [
      Plot.gridY({ stroke: "var(--grid)", strokeOpacity: 1, tickSpacing: TICK_SPACING.y }),
      Plot.axisY({
        ...axisOf(y),
        tickSize: 0,
        tickSpacing: TICK_SPACING.y,
        ...tickFormat(domains.y, y),
        labelOffset: LEFT - 4,
      }),
      Plot.axisX({
        ...axisOf(x),
        tickSize: 4,
        tickSpacing: TICK_SPACING.x,
        ...tickFormat(domains.x, x, 1e6),
        labelOffset: BOTTOM + LABEL_ROOM - 4,
      }),
      yLow <= 0 && yHigh >= 0 && !y.log
        ? Plot.ruleY([0], { stroke: "var(--soft)", strokeWidth: 1, className: "zero" })
        : null,
      Plot.ruleX(shown, {
        x: "x",
        stroke: "var(--soft)",
        strokeDasharray: "2 4",
        strokeOpacity: 0.6,
        className: "rule",
      }),
      Plot.text(shown.filter(({ label }) => label), { x: "x", text: "label", frameAnchor: "top", dy: -14 }),
      Plot.ruleY(levels, {
        y: "y",
        stroke: "var(--soft)",
        strokeWidth: 1.5,
        strokeDasharray: "8 4",
        className: "level",
      }),
      ...plot.series.flatMap((series) =>
        marksOf(series, {
          tone: tones.get(series.name) ?? "plain",
          isDrawable: (point) => isDrawable(point, plot),
          floor: y.log ? yLow : -Infinity,
        })
      ),
    ],
  }) as unknown as SvgElement;
  return finish(svg, place.attributes ?? {});
}

function axisOf({ label }: PlotAxis) {
  return { label: label === "" ? null : label, labelArrow: "none", color: "var(--soft)" } as const;
}

/** Very small and very large numbers are written short, as 5e-7 and 20k, to fit the margin. */
function tickFormat(
  [low, high]: Domain,
  { log = false }: PlotAxis,
  large = 1e4,
): { tickFormat?: string | ((tick: number) => string) } {
  if (log) {
    // Over several powers of ten only those are named; over fewer, 2 and 5 as well.
    const named = high / low > 100 ? ["1"] : ["1", "2", "5"];
    return { tickFormat: (tick) => named.includes(tick.toExponential(6)[0]!) ? formatNumber(tick) : "" };
  }
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (size >= 1e-2 && size < large) return {};
  return { tickFormat: size < 1e-2 ? "~e" : "~s" };
}

/** Shortens the coordinates, and takes away the style sheet that each drawing would repeat. */
function finish(svg: SvgElement, attributes: Readonly<Record<string, string | number>>): string {
  svg.querySelector("style")?.remove();
  svg.setAttribute("role", "img");
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, String(value));
  for (const element of svg.querySelectorAll("*")) {
    for (const attribute of element.attributes) {
      if (!attribute.name.startsWith("aria-")) attribute.value = shortened(attribute.value);
    }
  }
  return svg.outerHTML;
}

function shortened(value: string): string {
  return value.replace(/\d+\.\d{2,}/g, (number) => String(Math.round(Number(number) * 10) / 10));
}
