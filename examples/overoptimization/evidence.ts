import { writeFileAtomic } from "@tr/align/models";
import { conclude } from "./conclusions.ts";
import { type Findings, pictures } from "./report.ts";
import { endTable, gainTable, goldTable, markdownTable } from "./table.ts";

/** What stands around the part of `evidence.md` that is written by the experiment. */
const MARKERS = {
  start: "<!-- Written by examples/overoptimization.ts --docs; changes here are lost. -->",
  end: "<!-- End of what examples/overoptimization.ts writes. -->",
};

/**
 * Writes the numbers of the section on overoptimization in `evidence.md`, and its pictures beside it.
 *
 * @param directory `docs`.
 * @throws Error if the file lacks the marks between which the numbers stand.
 */
export async function writeEvidence(
  directory: string,
  { results, summaries, isFull }: Findings & { isFull: boolean },
): Promise<void> {
  for (const { name, svg } of pictures(summaries)) await writeFileAtomic(`${directory}/${name}.svg`, svg);
  const path = `${directory}/evidence.md`;
  const text = await Deno.readTextFile(path);
  await writeFileAtomic(
    path,
    replaceNumbers(text, { name: path, by: numbers({ results, summaries, isFull }) }),
  );
}

/**
 * Puts text between the marks.
 *
 * @throws Error if they are not there.
 */
export function replaceNumbers(text: string, { name, by }: { name: string; by: string }): string {
  const [start, end] = [text.indexOf(MARKERS.start), text.indexOf(MARKERS.end)];
  if (start < 0 || end < start) {
    throw new Error(
      `${name}: wanted the lines "${MARKERS.start}" and "${MARKERS.end}", to write between them`,
    );
  }
  return `${text.slice(0, start + MARKERS.start.length)}\n\n${by}\n\n${text.slice(end)}`;
}

function numbers({ results, summaries, isFull }: Findings & { isFull: boolean }): string {
  const seeds = new Set(results.map(({ seed }) => seed)).size;
  const hasSweep = pictures(summaries).length > 1;
  const tables = [goldTable(summaries), gainTable(summaries), endTable(summaries)];
  return [
    `${results.length} runs: ${summaries.length} settings with ${seeds} seeds each, by ` +
    `\`deno run -A examples/overoptimization.ts${isFull ? " --full" : ""} --docs\`.`,
    "![Gold reward against KL](overoptimization.svg)",
    ...(hasSweep ? ["![Gold reward against KL, other α and τ](overoptimization_sweep.svg)"] : []),
    conclude(summaries).map((sentence) => `- ${sentence}`).join("\n"),
    ...tables.map((table) => `**${table.title}.** ${table.reading}\n\n${markdownTable(table)}`),
  ].join("\n\n");
}
