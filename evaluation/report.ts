import { type Comparison, type Figure, FIGURE_GROUPS } from "./report/figures.ts";
import { escapeHtml } from "./report/html.ts";
import { renderComparison, renderFigure } from "./report/render_figure.ts";
import { STYLE } from "./report/style.ts";
import type { Report, Sample } from "./report/types.ts";

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
  const { title, config, summary = [], samples = [] } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${renderSummary(summary)}${renderPlots(report)}${renderSamples(samples)}<h2>Configuration</h2>
<pre>${escapeHtml(config.trimEnd())}</pre>
</body>
</html>
`;
}

function renderSummary(facts: NonNullable<Report["summary"]>): string {
  if (facts.length === 0) return "";
  const entries = facts.map(([label, value]) =>
    `<div><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd></div>\n`
  );
  return `<dl class="facts">\n${entries.join("")}</dl>\n`;
}

function renderPlots({ metrics, evaluations = [], referenceUpdates = [], bounds = {} }: Report): string {
  const rows = [...metrics, ...evaluations].sort((a, b) => a.step - b.step);
  if (rows.length === 0) return "";
  const rules = referenceUpdates.length > MOST_RULES ? [] : referenceUpdates;
  const render = (entry: Figure | Comparison) =>
    "title" in entry
      ? renderFigure(entry, { rows, rules, bounds })
      : renderComparison(entry, { rows, rules, bounds });
  const groups = FIGURE_GROUPS.map(({ heading, figures }) => {
    const rendered = figures.map(render).join("");
    return rendered && `<h2>${escapeHtml(heading)}</h2>\n<div class="figures">\n${rendered}</div>\n`;
  });
  return `<p class="note">${escapeHtml(describeCurves(referenceUpdates.length))}</p>\n${groups.join("")}`;
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

function renderSamples(samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  return `<h2>What it says, before and after</h2>\n${samples.map(renderSample).join("")}`;
}

function renderSample({ prompt, before, after }: Sample): string {
  const said = (when: string, text: string) =>
    `<div class="${when}"><h4>${when}</h4><p>${escapeHtml(text.trim() || "(nothing)")}</p></div>`;
  return `<div class="sample"><p>${escapeHtml(prompt.trim())}</p>` +
    `<div class="said">${said("before", before)}${said("after", after)}</div></div>\n`;
}
