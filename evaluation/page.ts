import { renderFigure } from "./page/figure.ts";
import { PAGE_STYLE } from "./page/style.ts";
import type { PageOptions, PageSection, PageTable } from "./page/types.ts";
import { escapeHtml } from "./report/html.ts";
import type { Sample } from "./report/types.ts";

/**
 * Renders a page: headings, paragraphs, plots with their legends and sentences, tables, samples.
 *
 * The page needs no network and no script, follows the reader's light or dark theme, and folds to one column on a phone.
 * The same options always give the same bytes.
 *
 * @param options What to show; all of its text is escaped.
 * @returns The page's HTML.
 * @example
 * ```ts
 * import { renderPage } from "@tr/align/evaluation";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const html = renderPage({
 *   title: "Frozen or moving?",
 *   sections: [{
 *     heading: "Results",
 *     text: "Means of ten seeds.",
 *     tables: [{ columns: ["reference", "gold reward"], rows: [["frozen", "0.71"], ["soft", "0.78"]] }],
 *   }],
 * });
 * assertStringIncludes(html, "<td>soft</td><td>0.78</td>");
 * ```
 */
export function renderPage({ title, summary = [], note = "", sections }: PageOptions): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${renderSummary(summary)}${note && `<p class="note">${escapeHtml(note)}</p>\n`}${
    sections.map(renderSection).join("")
  }</body>
</html>
`;
}

function renderSummary(facts: NonNullable<PageOptions["summary"]>): string {
  if (facts.length === 0) return "";
  const entries = facts.map(([label, value]) =>
    `<div><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd></div>\n`
  );
  return `<dl class="facts">\n${entries.join("")}</dl>\n`;
}

function renderSection(
  { heading, text = [], figures = [], tables = [], samples = [], code }: PageSection,
): string {
  const drawn = figures.map(renderFigure).join("");
  const parts = [
    ...[text].flat().filter((paragraph) => paragraph !== "").map((paragraph) =>
      `<p class="text">${escapeHtml(paragraph)}</p>\n`
    ),
    drawn && `<div class="figures">\n${drawn}</div>\n`,
    ...tables.map(renderTable),
    ...samples.map(renderSample),
    code === undefined ? "" : `<pre>${escapeHtml(code.trimEnd())}</pre>\n`,
  ];
  const content = parts.join("");
  return content && `<h2>${escapeHtml(heading)}</h2>\n${content}`;
}

function renderTable({ title, reading, columns, rows }: PageTable): string {
  if (rows.length === 0) return "";
  const cells = (texts: readonly string[], tag: "th" | "td") =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("")}</tr>\n`;
  return `<figure class="table">${
    title ? `<h3>${escapeHtml(title)}</h3>` : ""
  }<div class="scroll"><table>\n` +
    `<thead>${cells(columns, "th")}</thead>\n<tbody>${
      rows.map((row) => cells(row, "td")).join("")
    }</tbody>\n` +
    `</table></div>${reading ? `<figcaption>${escapeHtml(reading)}</figcaption>` : ""}</figure>\n`;
}

function renderSample({ prompt, before, after }: Sample): string {
  const said = (when: string, text: string) =>
    `<div class="${when}"><h4>${when}</h4><p>${escapeHtml(text.trim() || "(nothing)")}</p></div>`;
  return `<div class="sample"><p>${escapeHtml(prompt.trim())}</p>` +
    `<div class="said">${said("before", before)}${said("after", after)}</div></div>\n`;
}
