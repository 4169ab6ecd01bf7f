/**
 * Parquet tables as records, a row group at a time.
 *
 * @module
 */
import { type AsyncBuffer, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import type { JsonEntry } from "./json_stream.ts";

/** Bytes that can be read in ranges: a file, or a buffer of one's own. */
export interface ByteRanges {
  /** How many bytes there are. */
  byteLength: number;
  /** The bytes from `start` to before `end`, or to the last. */
  slice(start: number, end?: number): Promise<ArrayBuffer> | ArrayBuffer;
}

/**
 * Every column that a record form may read; others, such as embeddings or scores, are not even decompressed.
 */
const COLUMNS = [
  ...["prompt", "chosen", "rejected", "completion", "label", "messages", "text"],
  ...[
    "prompt_ids",
    "chosen_ids",
    "rejected_ids",
    "completion_ids",
    "margin",
    "tools",
    "chat_template_kwargs",
  ],
  ...["instruction", "input", "output", "system", "history", "conversations", "kto_tag"],
  ...["question", "query", "problem", "user", "context"],
];

/**
 * Reads the rows of a parquet file in order; only the columns that a record may have, and one row group in
 * memory.
 *
 * @param bytes the file
 * @param options `file`: its name, for error messages; `columns`: further columns to read
 * @returns entries whose `line` is the row, from 1
 * @throws {Error} that names the file if it isn't parquet, is damaged, or has no row
 */
export async function* parseParquet(
  bytes: ByteRanges,
  { file, columns: more = [] }: { file: string; columns?: readonly string[] },
): AsyncGenerator<JsonEntry> {
  const buffer = bytes as AsyncBuffer;
  const metadata = await attempt(() => parquetMetadataAsync(buffer));
  const present = parquetSchema(metadata).children.map(({ element }) => element.name);
  const columns = present.filter((name) => COLUMNS.includes(name) || more.includes(name));
  if (columns.length === 0) {
    const names = present.map((name) => `"${name}"`).join(", ");
    throw new Error(
      `${file}: no column of a record among ${names || "none"}; map the columns in a dataset_info.json ` +
        `(data.dataset_info)`,
    );
  }
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await attempt(() =>
      parquetReadObjects({ file: buffer, metadata, columns, rowStart, rowEnd, compressors })
    );
    for (const [i, row] of rows.entries()) {
      yield { line: rowStart + i + 1, value: toJson(row, { isTop: true }) };
    }
    rowStart = rowEnd;
  }
  if (rowStart === 0) throw new Error(`${file}: no records; the table has no row`);

  async function attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${file}: not a parquet file that can be read (${reason})`, { cause });
    }
  }
}

/**
 * A table's value as JSON would have it. Inside a cell, keys that are null go: a table gives every struct
 * all keys that any has.
 */
function toJson(value: unknown, { isTop = false }: { isTop?: boolean } = {}): unknown {
  if (typeof value === "bigint") return Number(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, Number);
  if (Array.isArray(value)) return value.map((item) => toJson(item));
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const entries = Object.entries(value).filter(([, item]) => isTop || (item !== null && item !== undefined));
  return Object.fromEntries(entries.map(([key, item]) => [key, toJson(item)]));
}
