import { evaluationSection } from "./compare/evaluations.ts";
import { groupRuns } from "./compare/group_runs.ts";
import { commonMetrics, curveSections, qualitySection } from "./compare/sections.ts";
import { differenceTable, finalTable } from "./compare/tables.ts";
import type { ComparedRun, RunGroup } from "./compare/types.ts";
import { renderPage } from "./page.ts";
import type { PageTable } from "./page/types.ts";

/** Runs put beside each other. */
export interface RunComparison {
  /** The runs by setting. */
  readonly groups: readonly RunGroup[];
  /** The numbers at their ends. */
  readonly table: PageTable;
  /** The whole as an HTML page. */
  readonly html: string;
}

/**
 * Compares runs: figures with their curves over each other, quality against KL, and tables of the numbers at their ends
 * and of the settings in which they differ.
 *
 * Runs that differ in their seeds only are one group, drawn as mean and 95 % bootstrap interval over the seeds.
 *
 * @param options.title Heading of the page.
 * @param options.notes Paragraphs to start with; none by default.
 * @throws RangeError if there are no runs, or they have no metric in common.
 */
export function compareRuns(
  runs: readonly ComparedRun[],
  { title, notes = [] }: { title: string; notes?: readonly string[] },
): RunComparison {
  const empty = runs.find(({ metrics }) => metrics.length === 0);
  if (runs.length === 0) throw new RangeError("there are no runs to compare; name at least one");
  if (empty) {
    throw new RangeError(`${empty.name}: has no metrics yet; leave it out, or wait for its first step`);
  }
  const groups = groupRuns(runs);
  if (commonMetrics(groups).length === 0) {
    throw new RangeError(
      `${runs.map(({ name }) => name).join(", ")}: have no metric in common; compare runs of one kind`,
    );
  }
  const table = finalTable(groups);
  const html = renderPage({
    title,
    summary: [["runs", String(runs.length)], ["settings", String(groups.length)]],
    note: describeGroups(groups),
    sections: [
      { heading: "Results", text: notes, tables: [table, differenceTable(groups)] },
      qualitySection(groups),
      evaluationSection(groups),
      ...curveSections(groups),
    ],
  });
  return { groups, table, html };
}

function describeGroups(groups: readonly RunGroup[]): string {
  const seeds = groups.some(({ runs }) => runs.length > 1)
    ? "Runs that differ in their seeds only are one curve: the mean, with a 95 % bootstrap interval over the seeds. "
    : "";
  return `${seeds}Long curves are running means. What is the same in all runs is left out.`;
}
