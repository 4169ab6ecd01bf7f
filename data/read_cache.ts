/**
 * Files of tokenized records, so that a data set is tokenized once. This module does file I/O and uses
 * `Deno.*`.
 *
 * A file holds, in this order: eight bytes that name the format; the words of all records (32 bits,
 * little-endian); the index; a JSON object; its length in 32 bits; SHA-256 of everything before.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import type { RecordKind } from "./records.ts";
import type { DropTally } from "./tally.ts";
import { createTokenStore, INDEX_WORDS, type TokenStore, type WordSink } from "./token_store.ts";

const FORMAT = new TextEncoder().encode("tralign1");
const HASH_BYTES = 32;
const BLOCK = 1 << 20;
/** Words to read ahead while records are taken in order. */
const READ_AHEAD = 1 << 16;

/** What is known of the records beside their tokens. */
export interface CacheSummary {
  /** What the records are. */
  kind: RecordKind;
  /** What was left out. */
  dropped: DropTally;
  /** How many prompts and completions were cut. */
  truncated: { prompt: number; completion: number };
  /** Why the first few invalid records are, with their lines but without the file's name. */
  problems: string[];
}

/** Cached records. */
export interface CachedTokens extends CacheSummary {
  /** The records; each is read from the file when it is asked for. */
  store: TokenStore;
}

/** A cache file that is being written. */
export interface CacheWriter {
  /** Takes the words of a record. */
  write: WordSink;
  /** Completes the file and gives it its name. */
  finish(summary: CacheSummary, index: Uint32Array): Promise<void>;
  /** Removes what was written, unless it was finished. */
  abandon(): Promise<void>;
}

/** Starts a cache file, which appears under its name only when it is complete; makes the directory. */
export async function createCache(path: string): Promise<CacheWriter> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  const partial = `${path}.partial-${crypto.randomUUID()}`;
  const file = await Deno.open(partial, { write: true, createNew: true });
  const hash = createHash("sha256");
  const buffer = new Uint8Array(BLOCK);
  let used = 0, words = 0, isOpen = true;
  writeBytes(FORMAT);
  return {
    write(values) {
      writeBytes(bytesOf(values));
      words += values.length;
    },
    async finish(summary, index) {
      writeBytes(bytesOf(index));
      const text = new TextEncoder().encode(
        JSON.stringify({ ...summary, words, records: index.length / INDEX_WORDS }),
      );
      writeBytes(text);
      writeBytes(bytesOf(Uint32Array.of(text.length)));
      flush();
      writeAll(hash.digest());
      file.close();
      isOpen = false;
      await Deno.rename(partial, path);
    },
    async abandon() {
      if (!isOpen) return;
      isOpen = false;
      file.close();
      await Deno.remove(partial);
    },
  };

  function writeBytes(bytes: Uint8Array): void {
    for (let taken = 0; taken < bytes.length;) {
      const count = Math.min(bytes.length - taken, buffer.length - used);
      buffer.set(bytes.subarray(taken, taken + count), used);
      taken += count;
      used += count;
      if (used === buffer.length) flush();
    }
  }
  function flush(): void {
    hash.update(buffer.subarray(0, used));
    writeAll(buffer.subarray(0, used));
    used = 0;
  }
  function writeAll(bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
  }
}

/**
 * Opens a cache file after checking every byte of it.
 *
 * @returns null if there is no such file
 * @throws {Error} with the reason if it is damaged
 */
export async function openCache(path: string): Promise<CachedTokens | null> {
  let size: number;
  try {
    ({ size } = await Deno.stat(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
  const tail = HASH_BYTES + 4;
  if (size < FORMAT.length + tail) throw new Error(`it has only ${size} bytes`);
  const digest = await hashFile(path, size - HASH_BYTES);
  const stored = readBytes(path, size - HASH_BYTES, HASH_BYTES);
  if (digest.some((byte, i) => byte !== stored[i])) throw new Error("its checksum is wrong");
  const textLength = new Uint32Array(readBytes(path, size - tail, 4).buffer)[0]!;
  const text = readBytes(path, size - tail - textLength, textLength);
  const { words, records, ...summary } = JSON.parse(new TextDecoder().decode(text)) as CacheSummary & {
    words: number;
    records: number;
  };
  const index = readBytes(path, FORMAT.length + 4 * words, 4 * records * INDEX_WORDS);
  const readWords = createWordReader(
    (start, count) => new Int32Array(readBytes(path, FORMAT.length + 4 * start, 4 * count).buffer),
    words,
  );
  const store = createTokenStore({ kind: summary.kind, index: new Uint32Array(index.buffer), readWords });
  return { ...summary, store };
}

/** Reads ahead where records are asked for in order, and only what is asked for where they are not. */
function createWordReader(read: (start: number, count: number) => Int32Array, total: number) {
  let ahead: Int32Array = new Int32Array(0);
  let aheadStart = 0, next = -1;
  return (start: number, count: number): Int32Array => {
    const inOrder = start === next;
    next = start + count;
    if (start >= aheadStart && next <= aheadStart + ahead.length) {
      return ahead.subarray(start - aheadStart, next - aheadStart);
    }
    if (!inOrder) return read(start, count);
    ahead = read(start, Math.min(Math.max(count, READ_AHEAD), total - start));
    aheadStart = start;
    return ahead.subarray(0, count);
  };
}

/** SHA-256 of a file, or of its first bytes. */
export async function hashFile(path: string, length = Infinity): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const hash: Hash = createHash("sha256");
  const block = new Uint8Array(BLOCK);
  for (let done = 0; done < length;) {
    const count = await file.read(block.subarray(0, Math.min(block.length, length - done)));
    if (count === null) break;
    hash.update(block.subarray(0, count));
    done += count;
  }
  return hash.digest();
}

// A file is opened for every read, so that a store is a value that nobody has to close.
function readBytes(path: string, start: number, count: number): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  file.seekSync(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(count);
  for (let read = 0; read < count;) {
    const got = file.readSync(bytes.subarray(read));
    if (got === null) throw new Error(`${path}: the file was changed while it was in use`);
    read += got;
  }
  return bytes;
}

function bytesOf(words: Int32Array | Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/**
 * `$XDG_CACHE_HOME/tr-align` or `~/.cache/tr-align`; null where the environment names neither, or can't be
 * read.
 */
export function defaultCacheDirectory(): string | null {
  try {
    const [cache, home] = [
      Deno.env.get("XDG_CACHE_HOME"),
      Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE"),
    ];
    if (cache) return `${cache}/tr-align`;
    return home ? `${home}/.cache/tr-align` : null;
  } catch {
    return null;
  }
}
