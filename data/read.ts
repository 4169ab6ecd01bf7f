/**
 * Reading of record files; the only module of `data` beside `read_tokenizer.ts` that touches the file system.
 *
 * @module
 */
import { type CollectedRecords, type CollectOptions, collectRecords } from "./collect.ts";
import { type JsonEntry, parseJsonStream } from "./json_stream.ts";
import type { RecordKind } from "./records.ts";

/**
 * Reads the JSON values of a `.jsonl`, `.jsonl.gz`, `.json` or `.json.gz` file, one at a time.
 *
 * @throws {Error} if the name ends otherwise, the file can't be read or is empty, or a line isn't JSON
 */
export async function* readJsonEntries(path: string): AsyncGenerator<JsonEntry> {
  if (!/\.jsonl?(\.gz)?$/.test(path)) {
    throw new Error(
      `Cannot read ${path}: wanted a file name that ends in .jsonl, .jsonl.gz, .json or .json.gz`,
    );
  }
  using file = await openFile(path);
  yield* parseJsonStream(file.readable, { file: path, gzip: path.endsWith(".gz") });
}

/**
 * Reads and checks all records of a `.jsonl`, `.jsonl.gz`, `.json` or `.json.gz` file.
 *
 * @param path the file
 * @param options the kind of record that is wanted, and what to leave out
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
  return collectRecords(readJsonEntries(path), { ...options, file: path });
}

async function openFile(path: string): Promise<Deno.FsFile> {
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
