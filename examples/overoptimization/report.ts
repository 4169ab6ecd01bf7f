import { type PageTable, type PlotOptions, renderPage, renderPanels } from "@tr/align/evaluation";
import { writeFileAtomic } from "@tr/align/models";
import { conclude } from "./conclusions.ts";
import { goldAgainstKl, goldOverSteps, LEAST_GOLD, sweepAgainstKl } from "./figures.ts";
import type { RunResult } from "./results.ts";
import { describeLoss, describeReference } from "./settings.ts";
import type { SettingSummary } from "./summary.ts";
import { endTable, gainTable, goldTable } from "./table.ts";

/** Results and their summary. */
export interface Findings {
  /** Every run. */
  readonly results: readonly RunResult[];
  /** Every setting, over its seeds. */
  readonly summaries: readonly SettingSummary[];
}

/** How to read the curves. */
export const READING =
  "Each pale curve follows the training of a seed, away from the policy at the start; the strong one is " +
  "their mean at the same KL, as far as all of them come, with its 95 % interval. Where a curve falls, preferences are " +
  `learnt at the cost of what they stand for; below ${`${LEAST_GOLD}`.replace("-", "−")} it leaves the plot.`;

/** The pictures, by the part of their name that differs. */
export function pictures(summaries: readonly SettingSummary[]): { name: string; svg: string }[] {
  const panels = (name: string, title: string, plots: readonly PlotOptions[], legend: "one" | "each") =>
    plots.length === 0 ? [] : [{
      name,
      svg: renderPanels(plots, { columns: 2, title, reading: READING, shared: "both", legend }),
    }];
  return [
    ...panels("overoptimization", "Gold reward against KL", goldAgainstKl(summaries), "one"),
    ...panels(
      "overoptimization_sweep",
      "Gold reward against KL, other α and τ",
      sweepAgainstKl(summaries),
      "each",
    ),
  ];
}

/**
 * Writes `report.html`, `summary.json` and the pictures.
 *
 * @returns The report's path.
 */
export async function writeReport(
  directory: string,
  { results, summaries }: Findings,
): Promise<string> {
  const [first] = results;
  const seeds = new Set(results.map(({ seed }) => seed)).size;
  const html = renderPage({
    title: "Overoptimization: gold reward against KL",
    summary: [
      ["runs", String(results.length)],
      ["seeds", String(seeds)],
      ["pairs", String(first!.experiment.pairs)],
      ["steps", String(first!.experiment.steps)],
    ],
    note: READING,
    sections: [
      { heading: "What the numbers say", text: conclude(summaries) },
      { heading: "Gold reward against KL", figures: goldAgainstKl(summaries) },
      { heading: "Other α and τ", figures: sweepAgainstKl(summaries) },
      { heading: "Gold reward over steps", figures: goldOverSteps(summaries) },
      { heading: "Numbers", tables: [goldTable(summaries), gainTable(summaries), endTable(summaries)] },
      { heading: "Replies at the end, first seed", tables: sampleTables(results) },
      { heading: "The experiment", code: JSON.stringify(first!.experiment, null, 2) },
    ],
  });
  const path = `${directory}/report.html`;
  await writeFileAtomic(path, html);
  await writeFileAtomic(`${directory}/summary.json`, JSON.stringify(summaries, null, 1) + "\n");
  for (const { name, svg } of pictures(summaries)) await writeFileAtomic(`${directory}/${name}.svg`, svg);
  return path;
}

function sampleTables(results: readonly RunResult[]): PageTable[] {
  const shown = results.filter(({ seed }) => seed === results[0]!.seed);
  return shown.map(({ setting, samples }) => ({
    title: `${describeLoss(setting)}, ${describeReference(setting.reference)}`,
    columns: ["order", "reply"],
    rows: samples.map(({ prompt, reply }) => [prompt, reply]),
  }));
}

/** Prints what the numbers say. */
export function printSummary(
  summaries: readonly SettingSummary[],
  print: (line: string) => void = console.log,
): void {
  const { columns, rows } = goldTable(summaries);
  const widths = columns.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]!.length)));
  print("");
  for (const row of [columns, ...rows]) {
    print(row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "));
  }
  print("");
  for (const sentence of conclude(summaries)) print(`- ${sentence}`);
}
