const GAP = "  ";

/**
 * Lines up a table for a terminal: the first column to the left, the others to the right.
 *
 * @param options.width Characters in a line; the last columns are left out where they don't fit.
 */
export function textTable(
  { columns, rows }: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] },
  { width = Infinity }: { width?: number } = {},
): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  let [used, shown] = [widths[0]!, 1];
  while (shown < columns.length && used + GAP.length + widths[shown]! <= width) {
    used += GAP.length + widths[shown++]!;
  }
  return lines.map((cells) =>
    cells.slice(0, shown).map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    ).join(GAP).trimEnd()
  ).join("\n");
}
