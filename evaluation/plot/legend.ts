import { escapeHtml } from "../report/html.ts";
import { isDrawable } from "./domain.ts";
import { colorOf } from "./theme.ts";
import type { PlotOptions, Tone } from "./types.ts";

/** One entry of a legend. */
export interface LegendEntry {
  /** What it stands for. */
  readonly name: string;
  /** What is added to the name. */
  readonly note: string;
  /** A swatch of 28 by 12 units. */
  readonly swatch: string;
}

/** The entries of plots that have one legend: every series once, then the labelled levels. */
export function legendOf(plots: readonly PlotOptions[], tones: ReadonlyMap<string, Tone>): LegendEntry[] {
  const entries = new Map<string, LegendEntry>();
  for (const plot of plots) {
    for (const { name, note = "", faint, marks = "line", dashed = false, points } of plot.series) {
      if (faint || entries.has(name) || !points.some((point) => isDrawable(point, plot))) continue;
      const color = colorOf(tones.get(name) ?? "plain");
      const line = marks === "dots"
        ? ""
        : `<path d="M2,6H26" stroke="${color}" stroke-width="2.5"${
          dashed ? ` stroke-dasharray="6 4"` : ""
        }/>`;
      const dot = marks === "line" ? "" : `<circle cx="14" cy="6" r="4" fill="${color}"/>`;
      entries.set(name, { name, note, swatch: line + dot });
    }
  }
  for (const { label } of plots.flatMap(({ levels = [] }) => levels)) {
    if (!label || entries.has(label)) continue;
    const swatch = `<path d="M2,6H26" stroke="var(--soft)" stroke-width="1.5" stroke-dasharray="8 4"/>`;
    entries.set(label, { name: label, note: "", swatch });
  }
  return [...entries.values()];
}

/** A legend as SVG of a given width: in columns as wide as the longest entry. */
export function drawLegend(
  entries: readonly LegendEntry[],
  { x, y, width, textWidth, lineHeight }: {
    x: number;
    y: number;
    width: number;
    /** Units that so many characters take. */
    textWidth: (characters: number) => number;
    lineHeight: number;
  },
): { svg: string; bottom: number } {
  if (entries.length === 0) return { svg: "", bottom: y };
  const texts = entries.map(({ name, note }) => note === "" ? name : `${name} ${note}`);
  const longest = textWidth(Math.max(...texts.map((text) => text.length))) + 52;
  const columns = Math.max(1, Math.min(entries.length, Math.floor(width / longest)));
  const rows = Math.ceil(entries.length / columns);
  const drawn = entries.map(({ swatch }, index) => {
    const left = x + (index % columns) * longest;
    const middle = y + (Math.floor(index / columns) + 0.5) * lineHeight;
    return `<g transform="translate(${left.toFixed(1)},${
      middle.toFixed(1)
    })"><g transform="translate(0,-6)">${swatch}</g>` +
      `<text x="34" dy="0.35em">${escapeHtml(texts[index]!)}</text></g>`;
  });
  return { svg: `<g class="legend">${drawn.join("")}</g>`, bottom: y + rows * lineHeight };
}
