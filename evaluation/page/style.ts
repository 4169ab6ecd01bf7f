import { CHART_STYLE, themeStyle } from "../plot/theme.ts";

/** The style sheet of a page: follows the reader's light or dark theme, and folds to one column on a phone. */
export const PAGE_STYLE = `
${themeStyle(":root")}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 62rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { margin: 0 0 1rem; font-size: 1.7rem; line-height: 1.2; text-wrap: balance; }
h2 { margin: 3rem 0 1rem; font-size: 1.2rem; }
h3 { margin: 0; font-size: 1rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.75rem 1.5rem; margin: 0; }
.facts dt { color: var(--soft); font-size: 0.8rem; }
.facts dd { margin: 0; font-weight: 600; line-height: 1.3; }
.note { margin: 1.5rem 0 0; color: var(--soft); max-width: 44rem; }
.text { max-width: 44rem; }
.figures, .said { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
figure, .sample { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; }
figure + figure.table, .figures + figure.table { margin-top: 1rem; }
figcaption { color: var(--soft); font-size: 0.875rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0.15rem 0 0.5rem; padding: 0; list-style: none;
  font-size: 0.85rem; color: var(--soft); }
.legend b { color: var(--ink); font-variant-numeric: tabular-nums; }
.legend svg { width: 1.75rem; height: 0.75rem; margin-right: 0.35rem; }
.chart { display: block; width: 100%; height: auto; margin-bottom: 0.5rem; }
.chart text { font-size: 12px; }
@media (max-width: 30rem) { .chart text { font-size: 15px; } }
${CHART_STYLE}
.scroll { overflow-x: auto; overflow-wrap: normal; margin-bottom: 0.5rem; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.75rem 0.3rem 0; text-align: right; vertical-align: top; white-space: nowrap; }
th { color: var(--soft); font-weight: 400; border-bottom: 1px solid var(--edge); }
th:first-child, td:first-child { text-align: left; }
tr + tr td { border-top: 1px solid var(--grid); }
.sample { margin-bottom: 1rem; }
.sample p { margin: 0; white-space: pre-wrap; }
.said { margin-top: 0.75rem; }
.said h4 { margin: 0; color: var(--soft); font-size: 0.8rem; font-weight: 400; }
.said div { padding-left: 0.75rem; border-left: 3px solid var(--edge); }
.said .after { border-color: var(--chosen); }
pre { margin: 0; padding: 1rem; overflow-x: auto; background: var(--card); border: 1px solid var(--edge);
  border-radius: 8px; font: 0.85rem/1.5 ui-monospace, monospace; overflow-wrap: normal; }
@media print { figure, .sample { break-inside: avoid; } }
`;
