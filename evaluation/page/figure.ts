import { domainsOf } from "../plot/domain.ts";
import { drawChart } from "../plot/draw_chart.ts";
import { legendOf } from "../plot/legend.ts";
import { assignTones } from "../plot/theme.ts";
import type { PlotOptions } from "../plot/types.ts";
import { escapeHtml } from "../report/html.ts";

/** As wide as half a page, so that text has its own size on a desktop. */
const SIZE = { width: 460, height: 250 };

/** A plot with title, legend and sentence as text of the page; empty if it has no finite point. */
export function renderFigure(plot: PlotOptions): string {
  const domains = domainsOf(plot);
  if (domains === undefined) return "";
  const tones = assignTones(plot.series);
  const { width = SIZE.width, height = SIZE.height } = plot;
  const legend = legendOf([plot], tones).map(({ name, note, swatch }) =>
    `<li><svg viewBox="0 0 28 12" fill="none" aria-hidden="true">${swatch}</svg>${escapeHtml(name)}${
      note === "" ? "" : ` <b>${escapeHtml(note)}</b>`
    }</li>`
  );
  return `<figure><h3>${escapeHtml(plot.title)}</h3><ul class="legend">${legend.join("")}</ul>` +
    drawChart(plot, { width, height, domains, tones }) +
    `<figcaption>${escapeHtml(plot.reading ?? "")}</figcaption></figure>\n`;
}
