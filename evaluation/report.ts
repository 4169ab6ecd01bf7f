import { renderPage } from "./page.ts";
import type { PageSection } from "./page/types.ts";
import { type Comparison, type Figure, FIGURE_GROUPS } from "./report/figures.ts";
import { plotComparison, plotFigure } from "./report/plot_figure.ts";
import type { Report } from "./report/types.ts";

/** With more updates than this, vertical rules would hide the curves. */
const MOST_RULES = 40;

/**
 * Renders a training run as one HTML page: facts, plots with a sentence on how to read each, samples before and after,
 * and the configuration. The page needs no network and no script, follows the reader's light or dark theme, and the
 * same report always gives the same bytes. Plots without data are left out.
 *
 * Rewards and margins are shown against the moving and the initial reference side by side, because a Trust Region
 * update (arXiv 2404.09656, section 3) sets the first back to zero, and only the second shows the drift.
 *
 * @param report What to show; all of its text is escaped.
 * @returns The page's HTML.
 * @example
 * ```ts
 * import { renderReport } from "@tr/align/evaluation";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const html = renderReport({
 *   title: "TR-DPO, α = 0.6",
 *   config: "loss: { type: dpo, beta: 0.05 }\n",
 *   metrics: [{ step: 1, loss: 0.693 }, { step: 2, loss: 0.671 }],
 *   summary: [["steps", "2"]],
 *   referenceUpdates: [1],
 * });
 * assertStringIncludes(html, "<h1>TR-DPO, α = 0.6</h1>");
 * assertStringIncludes(html, "<h3>Loss</h3>");
 * ```
 */
export function renderReport(report: Report): string {
  const { title, config, metrics, summary = [], samples = [], evaluations = [], referenceUpdates = [] } =
    report;
  const isMeasured = metrics.length + evaluations.length > 0;
  return renderPage({
    title,
    summary,
    note: isMeasured ? describeCurves(referenceUpdates.length) : "",
    sections: [
      ...(isMeasured ? plotSections(report) : []),
      { heading: "What it says, before and after", samples },
      { heading: "Configuration", code: config },
    ],
  });
}

function plotSections(
  { metrics, evaluations = [], referenceUpdates = [], bounds = {} }: Report,
): PageSection[] {
  const context = {
    rows: [...metrics, ...evaluations].sort((a, b) => a.step - b.step),
    rules: referenceUpdates.length > MOST_RULES ? [] : referenceUpdates,
    bounds,
  };
  const plots = (entry: Figure | Comparison) =>
    "title" in entry ? plotFigure(entry, context) : plotComparison(entry, context);
  return FIGURE_GROUPS.map(({ heading, figures }) => ({ heading, figures: figures.flatMap(plots) }));
}

function describeCurves(updates: number): string {
  const curves =
    "All plots run over optimizer steps. Thin curves are single steps, bold ones their running mean, dots " +
    "held-out data; the numbers in the legends are the latest values.";
  if (updates === 0) return `${curves} The reference never moved.`;
  const times = updates === 1 ? "once" : `${updates} times`;
  const where = updates > MOST_RULES ? "too often to mark each time" : "where the dotted vertical rules are";
  return `${curves} The reference moved ${times}, ${where}.`;
}
