import { picture } from "./plot/picture.ts";
import type { PlotOptions } from "./plot/types.ts";

/** Options of {@linkcode renderPanels}. */
export interface PanelOptions {
  /** How many panels stand side by side. */
  readonly columns: number;
  /** The heading of the whole picture. */
  readonly title: string;
  /** A sentence on how to read it. */
  readonly reading?: string;
  /** Which axes span the same in all panels; none by default. */
  readonly shared?: "x" | "y" | "both";
  /** Whether one legend stands above all panels, or each has its own, with colours of its own; one by default. */
  readonly legend?: "one" | "each";
}

/**
 * Draws a plot as one SVG file: title, legend, chart, and the sentence on how to read it.
 *
 * The picture needs nothing but itself, follows the reader's light or dark theme also where a page shows it as an image,
 * and enlarges its text where it is shown small. Intervals are bands along lines and whiskers at dots. The same options
 * always give the same bytes.
 *
 * @throws RangeError if no series has a finite point that the axes can show, or the size isn't positive.
 * @example
 * ```ts
 * import { renderPlot } from "@tr/align/evaluation";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const svg = renderPlot({
 *   title: "Gold reward over KL",
 *   x: { label: "KL to the initial policy, nats" },
 *   y: { label: "gold reward", reach: [0] },
 *   series: [
 *     { name: "frozen", points: [{ x: 0, y: 0.5 }, { x: 4, y: 0.8, low: 0.7, high: 0.9 }], marks: "both" },
 *   ],
 * });
 * assertStringIncludes(svg, "Gold reward over KL");
 * ```
 */
export function renderPlot(options: PlotOptions): string {
  return picture([options], { columns: 1, name: "renderPlot" });
}

/**
 * Draws several plots as one SVG file, in which a series of one name has one colour where there is one legend.
 *
 * The panels are as large as the first one says; otherwise as {@linkcode renderPlot}. The panels' own `reading` is left
 * out.
 *
 * @throws RangeError if there are no plots, one of them has nothing to show, or the columns aren't a whole number of 1 or
 * more.
 */
export function renderPanels(plots: readonly PlotOptions[], options: PanelOptions): string {
  if (plots.length === 0) throw new RangeError("renderPanels: no plots; pass at least one");
  if (!Number.isInteger(options.columns) || options.columns < 1) {
    throw new RangeError(`renderPanels: columns is ${options.columns}; give an integer of 1 or more`);
  }
  return picture(plots, { ...options, name: "renderPanels" });
}
