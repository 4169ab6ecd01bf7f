/**
 * A file of records to token ids: read, checked and tokenized one record at a time, or taken from the cache.
 * This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { checkEntries } from "./collect.ts";
import type { LlamaFactoryLayout } from "./llama_factory.ts";
import { layoutColumns, openFile, readEntries } from "./read.ts";
import { type CacheWriter, createCache, hashFile, openCache } from "./read_cache.ts";
import type { RecordKind, TrainingRecord } from "./records.ts";
import { type DropTally, tallyDrop } from "./tally.ts";
import { countCuts, type TokenizeOptions, tokenizeRecord } from "./tokenize.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { createTokenRecorder, createTokenStore, createWordMemory, type TokenStore } from "./token_store.ts";

/** Part of every cache key; to be raised whenever the same file and settings would give other tokens. */
const TOKENIZATION = 2;

/** Invalid records of which the reason is kept. */
const PROBLEMS_KEPT = 5;

/** How {@linkcode readTokens} reads a file. */
export interface ReadTokensOptions {
  /** The policy's. */
  tokenizer: Tokenizer;
  /** Lengths, truncation and EOS. */
  tokenize?: Omit<TokenizeOptions, "file">;
  /** Whether a record that can't be used stops the reading or is dropped and counted; default `throw`. */
  invalid?: "throw" | "skip";
  /** How the records are laid out, where their keys don't say it. */
  layout?: LlamaFactoryLayout | null;
  /** Where to keep the tokens, and from which file size on; null keeps them in memory. */
  cache?: { directory: string; leastBytes?: number } | null;
  /** Told the records' kind as soon as it is known; refuses it by throwing. */
  accept?: (kind: RecordKind) => void;
}

/** A file's records in token ids. */
export interface FileTokens {
  /** The file. */
  file: string;
  /** Its records, possibly none. */
  store: TokenStore;
  /** What was left out. */
  dropped: DropTally;
  /** How many prompts and how many completions were cut; both sides of a pair count. */
  truncated: { prompt: number; completion: number };
  /** Why the first few invalid records are, where they are skipped. */
  problems: string[];
  /** What a user should know of the cache, one line each. */
  notes: string[];
}

/** The names of the record kinds, for messages. */
export const KIND_NAMES: { readonly [kind in RecordKind]: string } = {
  paired: "pairs {prompt, chosen, rejected}",
  unpaired: "labelled completions {prompt, completion, label}",
  sft: "demonstrations {prompt, completion}",
};

/**
 * Reads and tokenizes a file of records of one kind.
 *
 * No more than one record (of parquet: one row group) is held as text. With a cache, the tokens go to a
 * file, whose name is a hash of the records' bytes, the tokenizer and the options, and are read from there
 * when they are needed; a file that is already there is checked and used. So memory stays at 16 bytes a
 * record, whatever the file's size.
 *
 * @throws {RecordError} `pairs.jsonl:17: …` for a record that can't be used, unless `invalid` is `skip`
 * @throws {Error} if the file can't be read, mixes kinds, or has no usable record
 */
export async function readTokens(path: string, options: ReadTokensOptions): Promise<FileTokens> {
  const { cache = null } = options;
  if (cache === null) return named(await tokenizeFile(path, options, null));
  using file = await openFile(path);
  const { size } = await file.stat();
  if (size < (cache.leastBytes ?? 0)) return named(await tokenizeFile(path, options, null));

  const target = `${cache.directory}/${await cacheKey(path, options)}.tokens`;
  const notes: string[] = [];
  const cached = await attempt(
    () => openCache(target),
    (reason) => `${target}: the cached tokens of ${path} are damaged (${reason}); tokenizing them again`,
  );
  if (cached !== null) {
    options.accept?.(cached.kind);
    return named({ ...cached, file: path, notes });
  }
  const writer = await attempt(
    () => createCache(target),
    (reason) => `${cache.directory}: tokens can't be cached there (${reason}); keeping them in memory`,
  );
  if (writer === null) return named({ ...await tokenizeFile(path, options, null), notes });
  try {
    await tokenizeFile(path, options, writer);
    return named({ ...(await openCache(target))!, file: path, notes });
  } finally {
    await writer.abandon();
  }

  // The cache is a convenience: where it fails, the run goes on and says so.
  async function attempt<T>(action: () => Promise<T>, note: (reason: string) => string): Promise<T | null> {
    try {
      return await action();
    } catch (error) {
      notes.push(note(error instanceof Error ? error.message : String(error)));
      return null;
    }
  }
}

function named(tokens: FileTokens): FileTokens {
  return { ...tokens, problems: tokens.problems.map((problem) => `${tokens.file}:${problem}`) };
}

async function tokenizeFile(
  path: string,
  { tokenizer, tokenize = {}, invalid = "throw", layout = null, accept }: ReadTokensOptions,
  writer: CacheWriter | null,
): Promise<FileTokens> {
  const memory = createWordMemory();
  const recorder = createTokenRecorder(writer?.write ?? memory.write);
  const read: DropTally = {}, tokenized: DropTally = {};
  const truncated = { prompt: 0, completion: 0 };
  const problems: string[] = [];
  const onInvalid = ({ message }: Error) => {
    // Without the file's name, which may be another one when the cache is read.
    if (problems.length < PROBLEMS_KEPT) problems.push(message.slice(path.length + 1));
  };
  let kind: RecordKind | undefined;
  const entries = readEntries(path, { columns: layoutColumns(layout) });
  for await (
    const record of checkEntries(entries, { file: path, invalid, layout, dropped: read, onInvalid })
  ) {
    if (kind === undefined) {
      kind = record.kind;
      accept?.(kind);
    }
    if (record.kind !== kind) refuseKind(path, record, kind);
    const example = tokenizeRecord(record, tokenizer, { ...tokenize, file: path });
    if (typeof example === "string") {
      tallyDrop(tokenized, example, record.line);
    } else {
      recorder.append(example);
      countCuts(truncated, example);
    }
  }
  const summary = { kind: kind!, dropped: { ...read, ...tokenized }, truncated, problems };
  const index = recorder.index();
  await writer?.finish(summary, index);
  const store = createTokenStore({ kind: kind!, index, readWords: memory.readWords });
  return { ...summary, file: path, store, notes: [] };
}

function refuseKind(path: string, record: TrainingRecord, kind: RecordKind): never {
  throw new Error(
    `${path}:${record.line}: a file holds one kind of record; those before this one are ${
      KIND_NAMES[kind]
    }, this is ` +
      `one of ${KIND_NAMES[record.kind]}`,
  );
}

async function cacheKey(path: string, options: ReadTokensOptions): Promise<string> {
  const { tokenizer, tokenize = {}, invalid = "throw", layout = null } = options;
  const parts = {
    tokenization: TOKENIZATION,
    records: hex(await hashFile(path)),
    // The name decides how the bytes are read.
    container: /\.[a-z.]+$/.exec(path)?.[0],
    tokenizer: await tokenizer.fingerprint(),
    tokenize: Object.entries(tokenize).sort(([a], [b]) => a < b ? -1 : 1),
    invalid,
    layout,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
