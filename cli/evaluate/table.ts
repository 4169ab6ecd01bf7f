/** Measures as a table for people. */
import type { Estimate } from "../../evaluation/estimate.ts";
import type { Measures } from "../../evaluation/preferences.ts";

const GAP = "  ";

/** Draws a table of measures: mean, standard error, interval, and how many values each is of. */
export function renderMeasures(measures: Measures, { confidence }: { confidence: number }): string {
  const header = ["", "mean", "± error", `${Number((confidence * 100).toPrecision(6))} % interval`, "n"];
  const rows = [header, ...Object.entries(measures).map(([name, estimate]) => [name, ...cells(estimate)])];
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join(
      GAP,
    ).trimEnd()
  ).join("\n");
}

function cells({ mean, standardError, interval: [low, high], count }: Estimate): string[] {
  return [
    number(mean),
    standardError === null ? "" : number(standardError),
    `${number(low)} … ${number(high)}`,
    String(count),
  ];
}

function number(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}
