/** Tables as text. */
import type { Row, Table } from "./benchmark.ts";

/** A table with its title above and its notes below, columns aligned. */
export function formatTable({ title, rows, notes = [] }: Table): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((column) => formatCell(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const isNumber = columns.map((column) => rows.some((row) => typeof row[column] === "number"));
  const lines = cells.map((line) =>
    line.map((cell, i) => isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
      .trimEnd()
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
  return [title, "", ...lines.map((line) => `  ${line}`), ...notes.map((note) => `  ${note}`)].join("\n");
}

function formatCell(value: Row[string] | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return String(value);
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}
