/**
 * Reading of record files; with the other `read_*.ts` the only modules of `data` that touch the file system.
 *
 * @module
 */
import { type CollectedRecords, type CollectOptions, collectRecords } from "./collect.ts";
import { type JsonEntry, parseJsonStream } from "./json_stream.ts";
import type { LlamaFactoryLayout } from "./llama_factory.ts";
import { parseParquet } from "./parquet.ts";
import type { RecordKind } from "./records.ts";

/** How the name of a file of records ends. */
export const RECORD_FILE = /\.(jsonl?(\.gz)?|parquet)$/;

/**
 * Reads the values of a `.jsonl`, `.json` or `.parquet` file one at a time; the first two may be compressed
 * (`.gz`).
 *
 * @param path the file
 * @param options `columns`: further columns of a table to read
 * @throws {Error} if the name ends otherwise, the file can't be read or is empty, or a line isn't JSON
 */
export async function* readEntries(
  path: string,
  { columns = [] }: { columns?: readonly string[] } = {},
): AsyncGenerator<JsonEntry> {
  if (!RECORD_FILE.test(path)) {
    throw new Error(
      `Cannot read ${path}: wanted a file name that ends in .jsonl, .jsonl.gz, .json, .json.gz or .parquet`,
    );
  }
  using file = await openFile(path);
  if (path.endsWith(".parquet")) {
    yield* parseParquet(await byteRanges(file), { file: path, columns });
  } else {
    yield* parseJsonStream(file.readable, { file: path, gzip: path.endsWith(".gz") });
  }
}

/**
 * Reads and checks all records of a `.jsonl`, `.json` or `.parquet` file.
 *
 * @param path the file
 * @param options the kind of record that is wanted, what to leave out, and the records' layout where their
 * keys don't say it
 * @returns the records, and a count of those left out
 * @throws {RecordError} `pairs.jsonl:17: …` for a record that can't be used, unless `invalid` is `skip`
 * @throws {Error} if the file can't be read, isn't JSON, or no record is left
 *
 * @example
 * ```ts
 * import { readRecords } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ suffix: ".jsonl" });
 * await Deno.writeTextFile(path, '{"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}\n');
 * const { records, dropped } = await readRecords(path, { kind: "paired" });
 * assertEquals(records[0]?.chosen, " 4");
 * assertEquals(dropped, {});
 * ```
 */
export function readRecords<K extends RecordKind = RecordKind>(
  path: string,
  options: CollectOptions<K> = {},
): Promise<CollectedRecords<K>> {
  const columns = layoutColumns(options.layout ?? null);
  return collectRecords(readEntries(path, { columns }), { ...options, file: path });
}

/** The names of the columns that a layout reads. */
export function layoutColumns(layout: LlamaFactoryLayout | null): string[] {
  return layout === null ? [] : Object.values(layout.columns).filter((name) => name !== null);
}

async function byteRanges(file: Deno.FsFile) {
  const { size } = await file.stat();
  return {
    byteLength: size,
    // Synchronously, because the reader asks for several ranges at once and a file has one position.
    slice(start: number, end = size): ArrayBuffer {
      const bytes = new Uint8Array(end - start);
      file.seekSync(start, Deno.SeekMode.Start);
      for (let read = 0; read < bytes.length;) {
        const count = file.readSync(bytes.subarray(read));
        if (count === null) throw new Error(`the file ends ${bytes.length - read} bytes too soon`);
        read += count;
      }
      return bytes.buffer;
    },
  };
}

/** Opens a file, or says in one line why that can't be. */
export async function openFile(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new Error(`Cannot read ${path}: no such file`, { cause });
    }
    if (cause instanceof Deno.errors.PermissionDenied || cause instanceof Deno.errors.NotCapable) {
      throw new Error(`Cannot read ${path}: permission denied (Deno needs --allow-read)`, { cause });
    }
    throw cause;
  }
}
