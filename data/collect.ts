import { RecordError, refuseRecord } from "./fields.ts";
import type { JsonEntry } from "./json_stream.ts";
import type { LlamaFactoryLayout } from "./llama_factory.ts";
import { parseRecord } from "./parse_record.ts";
import type { PairedRecord, RecordKind, RecordKinds } from "./records.ts";
import { describeDropped, type DropTally, tallyDrop } from "./tally.ts";

/** What {@linkcode collectRecords} takes and what it leaves out. */
export interface CollectOptions<K extends RecordKind> {
  /** The kind that every record must be; any kind when not given. */
  kind?: K;
  /** Whether a record that can't be used stops the reading or is dropped and counted; default `throw`. */
  invalid?: "throw" | "skip";
  /** Whether pairs whose completions are equal are kept; default false, for they carry no preference. */
  keepIdentical?: boolean;
  /** How the records are laid out, where their keys don't say it. */
  layout?: LlamaFactoryLayout | null;
}

/** Records that can be used, and a count of the others. */
export interface CollectedRecords<K extends RecordKind> {
  /** The records in file order. */
  records: RecordKinds[K][];
  /** What was left out. */
  dropped: DropTally;
}

const WANTED: { [kind in RecordKind]: string } = {
  paired: "a pair {prompt, chosen, rejected}",
  unpaired: "a labelled completion {prompt, completion, label}",
  sft: "a demonstration {prompt, completion}, {messages} or {text}",
};

/**
 * Checks every entry of a file and gathers the records.
 *
 * @param entries as {@linkcode parseJsonStream} yields them
 * @param options `file`: the name that error messages give, and what to leave out
 * @throws {RecordError} for the first record that can't be used, unless `invalid` is `skip`
 * @throws {Error} if no record is left
 */
export async function collectRecords<K extends RecordKind = RecordKind>(
  entries: AsyncIterable<JsonEntry> | Iterable<JsonEntry>,
  options: CollectOptions<K> & { file: string },
): Promise<CollectedRecords<K>> {
  const dropped: DropTally = {};
  const records = await Array.fromAsync(checkEntries(entries, { ...options, dropped }));
  return { records, dropped };
}

/**
 * Checks the entries of a file one at a time, for files that are larger than memory.
 *
 * @param entries as {@linkcode parseJsonStream} yields them
 * @param options as for {@linkcode collectRecords}; `dropped` is where to count what is left out,
 * `onInvalid` is told why a record is skipped
 * @throws {RecordError} for a record that can't be used, unless `invalid` is `skip`
 * @throws {Error} at the end if there was no record
 */
export async function* checkEntries<K extends RecordKind = RecordKind>(
  entries: AsyncIterable<JsonEntry> | Iterable<JsonEntry>,
  { file, kind, invalid = "throw", keepIdentical = false, layout = null, dropped, onInvalid }:
    & CollectOptions<K>
    & { file: string; dropped: DropTally; onInvalid?: (error: RecordError) => void },
): AsyncGenerator<RecordKinds[K]> {
  let isEmpty = true;
  for await (const entry of entries) {
    const record = parse(entry);
    if (record === undefined) {
      tallyDrop(dropped, "invalid record", entry.line);
    } else if (!keepIdentical && record.kind === "paired" && isIdentical(record)) {
      tallyDrop(dropped, "chosen equals rejected", entry.line);
    } else {
      isEmpty = false;
      yield record;
    }
  }
  if (isEmpty) {
    const reasons = describeDropped(dropped).replaceAll("\n", "; ");
    throw new Error(`${file}: no usable record is left: ${reasons}`);
  }

  function parse({ line, value }: JsonEntry): RecordKinds[K] | undefined {
    const source = { file, line };
    try {
      const record = parseRecord(value, source, { layout });
      if (kind !== undefined && record.kind !== kind) {
        return refuseRecord(source, `the record is ${WANTED[record.kind]}; wanted ${WANTED[kind]}`);
      }
      return record as RecordKinds[K];
    } catch (error) {
      if (invalid !== "skip" || !(error instanceof RecordError)) throw error;
      onInvalid?.(error);
      return undefined;
    }
  }
}

function isIdentical({ chosen, rejected }: PairedRecord): boolean {
  return JSON.stringify(chosen) === JSON.stringify(rejected);
}
