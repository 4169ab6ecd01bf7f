/** The report's style sheet: follows the reader's light or dark theme, and folds to one column on a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fcfcfb; --card: #ffffff; --ink: #1c1e21; --soft: #5d636b; --edge: #e3e4e6; --grid: #ececee;
  --chosen: #1766c8; --rejected: #c8540a; --moving: #0b7f6b; --initial: #8a3fc0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131517; --card: #1b1e21; --ink: #e8e9eb; --soft: #9ba1a9; --edge: #2e3237; --grid: #282c30;
    --chosen: #62a8ff; --rejected: #ff9950; --moving: #3fc6ab; --initial: #c08bf0;
  }
}
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
.figures, .said { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
figure, .sample { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; }
figcaption { color: var(--soft); font-size: 0.875rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0.15rem 0 0.5rem; padding: 0; list-style: none;
  font-size: 0.85rem; color: var(--soft); }
.legend b { color: var(--ink); font-variant-numeric: tabular-nums; }
.legend svg { width: 1.4rem; height: 0.6rem; margin-right: 0.35rem; }
.chart { display: block; width: 100%; height: auto; margin-bottom: 0.5rem; }
text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
text.x { text-anchor: middle; }
text.y { text-anchor: end; dominant-baseline: central; }
@media (max-width: 30rem) { text { font-size: 15px; } }
path { fill: none; stroke: var(--tone); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.grid { --tone: var(--grid); stroke-width: 1; }
.zero { --tone: var(--soft); stroke-width: 1; }
.rule { --tone: var(--soft); stroke-width: 1; stroke-dasharray: 2 4; opacity: 0.45; }
.level { --tone: var(--soft); stroke-width: 1.5; stroke-dasharray: 8 4; }
.raw { stroke-width: 1; opacity: 0.35; }
.heldOut { stroke-dasharray: 5 4; }
.dots { stroke-width: 6; stroke-dasharray: none; }
.plain { --tone: var(--ink); }
.chosen { --tone: var(--chosen); }
.rejected { --tone: var(--rejected); }
.moving { --tone: var(--moving); }
.initial { --tone: var(--initial); }
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
