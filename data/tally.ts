/** Why a record was left out. */
export type DropReason =
  | "invalid record"
  | "chosen equals rejected"
  | "chosen equals rejected once cut"
  | "no token before the completion"
  | "no token in the completion"
  | "BOS inside the completion";

/** How many records were left out for one reason, and where the first of them are. */
export interface Dropped {
  /** The number of records. */
  count: number;
  /** The line numbers of the first few, in reading order. */
  lines: number[];
}

/** The records that were left out, by reason; a reason that didn't occur is absent. */
export type DropTally = { [reason in DropReason]?: Dropped };

const LINES_KEPT = 5;

/** Counts one more record as left out. */
export function tallyDrop(tally: DropTally, reason: DropReason, line: number): void {
  const entry = tally[reason] ??= { count: 0, lines: [] };
  entry.count++;
  if (entry.lines.length < LINES_KEPT) entry.lines.push(line);
}

/** The number of records left out for any reason. */
export function countDropped(tally: DropTally): number {
  return Object.values(tally).reduce((sum, { count }) => sum + count, 0);
}

/**
 * Says in one line per reason what was left out; an empty string if nothing was. With `file`, each line
 * names it.
 *
 * @example
 * ```ts
 * import { describeDropped } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   describeDropped({ "chosen equals rejected": { count: 2, lines: [722, 2169] } }),
 *   "2 records dropped, chosen equals rejected: lines 722, 2169",
 * );
 * ```
 */
export function describeDropped(tally: DropTally, { file }: { file?: string } = {}): string {
  return Object.entries(tally).map(([reason, { count, lines }]) => {
    const [records, line] = count === 1 ? ["record", "line"] : ["records", "lines"];
    const more = count > lines.length ? ", …" : "";
    const from = file === undefined ? "" : `${file}: `;
    return `${from}${count} ${records} dropped, ${reason}: ${line} ${lines.join(", ")}${more}`;
  }).join("\n");
}
