import { escapeHtml } from "../report/html.ts";
import { type Domain, domainsOf, union } from "./domain.ts";
import { drawChart } from "./draw_chart.ts";
import { drawLegend, type LegendEntry, legendOf } from "./legend.ts";
import { assignTones, CHART_STYLE, themeStyle } from "./theme.ts";
import type { PlotAxis, PlotOptions } from "./types.ts";

/** How plots are put together. */
export interface PictureOptions {
  /** Panels side by side. */
  readonly columns: number;
  /** What messages call the function. */
  readonly name: string;
  /** Heading of several panels; a single plot has its own. */
  readonly title?: string;
  /** How to read several panels. */
  readonly reading?: string;
  /** Which axes span the same in all panels. */
  readonly shared?: "x" | "y" | "both";
  /** Whether one legend stands above all panels or each has its own. */
  readonly legend?: "one" | "each";
}

const PADDING = 16;
const TEXT = 13;
const TITLE = 17;
/** Distance of two lines, in ems. */
const LINE = 1.25;
/** A picture shown on a phone of this many CSS pixels should have text of so many. */
const PHONE = { width: 360, text: 10.5 };
/** Text is enlarged by this factor at most, for which titles, legend and sentences leave room. */
const MOST_ENLARGED = 1.5;
/** Mean width of a character, in ems, in the wider ones of the usual sans-serif faces: bold, and not. */
const CHARACTER = { bold: 0.6, plain: 0.54 };

/** One SVG file of one or several plots, from top to bottom: heading, legend, panels, sentence. */
export function picture(plots: readonly PlotOptions[], options: PictureOptions): string {
  const { columns, name } = options;
  const lone = options.title === undefined ? plots[0] : undefined;
  const title = lone?.title ?? options.title!;
  const reading = lone ? lone.reading : options.reading;
  const panel = sizeOf(plots, name);
  const inner = Math.min(columns, plots.length) * panel.width;
  const width = inner + 2 * PADDING;
  const enlarged = Math.max(1, Math.min(MOST_ENLARGED, PHONE.text * width / PHONE.width / TEXT));
  const hasOneLegend = options.legend !== "each";
  const commonTones = assignTones(plots.flatMap(({ series }) => series));
  const tonesOf = ({ series }: PlotOptions) => hasOneLegend ? commonTones : assignTones(series);
  const domains = sharedDomains(plots, options);
  const placeText = (text: string, place: Omit<TextPlace, "enlarged">) =>
    textBlock(text, { ...place, enlarged });

  const heading = placeText(title, { className: "title", size: TITLE, x: PADDING, y: 12, width: inner });
  const placeLegend = (entries: readonly LegendEntry[], place: { x: number; y: number; width: number }) =>
    drawLegend(entries, {
      ...place,
      textWidth: (characters) => characters * CHARACTER.plain * TEXT * enlarged,
      lineHeight: 1.4 * TEXT * enlarged,
    });
  const legend = placeLegend(hasOneLegend ? legendOf(plots, commonTones) : [], {
    x: PADDING,
    y: heading.bottom + 6,
    width: inner,
  });

  const panels: string[] = [];
  let top = legend.bottom + 8;
  for (let first = 0; first < plots.length; first += columns) {
    const row = plots.slice(first, first + columns);
    const left = (column: number) => PADDING + column * panel.width;
    const titles = row.map((plot, column) =>
      placeText(plot === lone ? "" : plot.title, {
        className: "panel",
        size: TEXT,
        x: left(column) + 8,
        y: top,
        width: panel.width - 16,
      })
    );
    const titled = Math.max(...titles.map(({ bottom }) => bottom)) + 4;
    const legends = row.map((plot, column) =>
      placeLegend(hasOneLegend ? [] : legendOf([plot], tonesOf(plot)), {
        x: left(column) + 8,
        y: titled,
        width: panel.width - 16,
      })
    );
    const below = Math.max(...legends.map(({ bottom }) => bottom));
    panels.push(
      ...titles.map(({ svg }) => svg),
      ...legends.map(({ svg }) => svg),
      ...row.map((plot, column) =>
        drawChart(plot, {
          ...panel,
          tones: tonesOf(plot),
          domains: domains[first + column]!,
          attributes: { x: left(column), y: below.toFixed(1) },
        })
      ),
    );
    top = below + panel.height + PADDING;
  }

  const sentence = placeText(reading ?? "", {
    className: "reading",
    size: TEXT,
    x: PADDING,
    y: top - 4,
    width: inner,
  });
  const height = Math.ceil(sentence.bottom + PADDING);
  const parts = [heading.svg, legend.svg, ...panels, sentence.svg].filter((part) => part !== "");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">` +
    `<title>${escapeHtml(title)}</title><style>${styleOf(width, enlarged)}</style>` +
    `<rect class="page" width="100%" height="100%"/>\n${parts.join("\n")}\n</svg>\n`;
}

function sizeOf(plots: readonly PlotOptions[], name: string): { width: number; height: number } {
  const [defaultWidth, ratio] = plots.length > 1 ? [420, 1.6] : [640, 2];
  const { width = defaultWidth, height = Math.round(width / ratio) } = plots[0]!;
  for (const [key, value] of Object.entries({ width, height })) {
    if (!(value > 0)) throw new RangeError(`${name}: ${key} is ${value}; give a positive number`);
  }
  return { width, height };
}

function sharedDomains(
  plots: readonly PlotOptions[],
  { name, shared }: PictureOptions,
): { x: Domain; y: Domain }[] {
  const own = plots.map((plot) => {
    const found = domainsOf(plot);
    if (found) return found;
    throw new RangeError(`${name}: "${plot.title}" has no finite point that its axes can show; give it one`);
  });
  const share = (axis: "x" | "y") => {
    if (shared !== axis && shared !== "both") return own.map((domains) => domains[axis]);
    const isLog = (plot: PlotOptions) => (plot[axis] satisfies PlotAxis).log ?? false;
    if (plots.some((plot) => isLog(plot) !== isLog(plots[0]!))) {
      throw new RangeError(
        `${name}: the ${axis} axes are logarithmic in some panels only; share them where all are alike`,
      );
    }
    const all = union(own.map((domains) => domains[axis]));
    return own.map(() => all);
  };
  const [xs, ys] = [share("x"), share("y")];
  return own.map((_, index) => ({ x: xs[index]!, y: ys[index]! }));
}

interface TextPlace {
  className: string;
  size: number;
  x: number;
  y: number;
  width: number;
  enlarged: number;
}

/** A text in as many lines as it needs when it is enlarged. */
function textBlock(
  text: string,
  { className, size, x, y, width, enlarged }: TextPlace,
): { svg: string; bottom: number } {
  if (text === "") return { svg: "", bottom: y };
  const lines = wrap(text, width / (CHARACTER.bold * size * enlarged));
  const step = LINE * size * enlarged;
  const svg = lines.map((line, index) =>
    `<text class="${className}" x="${x}" y="${(y + index * step + size * enlarged).toFixed(1)}">${
      escapeHtml(line)
    }</text>`
  );
  return { svg: svg.join(""), bottom: y + lines.length * step };
}

/** Breaks a text into lines of at most so many characters; a longer word has a line of its own. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= room) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function styleOf(width: number, enlarged: number): string {
  const size = (units: number) => `${Math.round(units * 10) / 10}px`;
  return `
${themeStyle(":root")}
svg { max-width: 100%; height: auto; }
.page { fill: var(--card); }
text { fill: var(--soft); font: ${size(TEXT)} system-ui, sans-serif; }
${CHART_STYLE}
.legend text { fill: var(--ink); }
.title, .panel { fill: var(--ink); font-weight: 600; }
.title { font-size: ${size(TITLE)}; }
@media (max-width: ${Math.round(width * 0.75)}px) {
  text { font-size: ${size(TEXT * enlarged)}; }
  .title { font-size: ${size(TITLE * enlarged)}; }
}
`;
}
