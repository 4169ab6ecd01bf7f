/**
 * Fetches one file's content: resumed where a download broke off, checked before it gets its name. This module does file
 * I/O and uses `Deno.*`.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { parent, type RepositoryFile, sizeOf } from "./cache.ts";
import { HubError } from "./errors.ts";
import { takeLock } from "./lock.ts";
import { type HubContext, readChunks, request, retrying } from "./request.ts";

/** Where a file's content comes from and where it goes. */
export interface TransferOptions extends HubContext {
  /** The address to fetch it from. */
  readonly url: string;
  /** The path that it gets once it is whole and right. */
  readonly path: string;
  /** The file whose lock keeps other processes away. */
  readonly lock: string;
  /** Called with numbers of bytes that are there now and were not before; negative where some were thrown away. */
  readonly onBytes: (count: number) => void;
  /** Stops the transfer; what has come is kept. */
  readonly signal: AbortSignal;
}

const READ_BYTES = 1 << 20;

/** The path of a download that isn't finished. */
export function incompletePath(path: string): string {
  return `${path}.incomplete`;
}

/**
 * Makes sure that a file's content is at its path.
 *
 * Bytes go to `<path>.incomplete` and stay there when a download breaks off; the next one, of this process or another,
 * asks for the rest only. Where locks don't work (some network file systems), two processes may write the same bytes to
 * the same places, which does no harm.
 *
 * @throws {HubError} `interrupted` if it can't be finished now, `damaged` if the bytes are not those of the repository,
 * `disk` if there is no room for them, or what the hub refuses with
 */
export async function transfer(file: RepositoryFile, options: TransferOptions): Promise<void> {
  const { path, lock, onBytes, onEvent } = options;
  const isThere = async () => await sizeOf(path) === file.size;
  if (await isThere()) return onBytes(file.size);
  await Deno.mkdir(parent(path), { recursive: true });
  using _lock = await takeLock(lock, {
    onWait: () => onEvent({ type: "message", text: `${file.path}: waiting for another process to fetch it` }),
  });
  if (await isThere()) return onBytes(file.size);

  const incomplete = incompletePath(path);
  try {
    using target = await openTarget(file, { incomplete, onBytes });
    const kept = target.length;
    try {
      await fill(target, options);
    } catch (error) {
      // What an earlier process left may be what is wrong; what came just now is not.
      if (!(error instanceof HubError) || error.kind !== "damaged" || kept === 0) throw error;
      onEvent({ type: "message", text: `${file.path}: what was kept of it is damaged; fetching it anew` });
      await target.restart();
      await fill(target, options);
    }
    await target.handle.syncData(); // else a crash may leave the name with none of the bytes
  } catch (error) {
    if (error instanceof HubError && error.kind === "damaged") await Deno.remove(incomplete).catch(() => {});
    throw explain(error, file);
  }
  await Deno.rename(incomplete, path);
}

/** A file that is being filled, with the hash of what is in it. */
interface Target extends Disposable {
  readonly file: RepositoryFile;
  readonly handle: Deno.FsFile;
  readonly length: number;
  append(bytes: Uint8Array): Promise<void>;
  restart(): Promise<void>;
  digest(): string;
}

async function openTarget(
  file: RepositoryFile,
  { incomplete, onBytes }: { incomplete: string; onBytes: (count: number) => void },
): Promise<Target> {
  const handle = await Deno.open(incomplete, { read: true, write: true, create: true });
  let [hash, length] = [startHash(file), 0];
  const count = (bytes: Uint8Array) => {
    hash.update(bytes);
    length += bytes.length;
  };
  const restart = async () => {
    await handle.truncate(0);
    await handle.seek(0, Deno.SeekMode.Start);
    onBytes(-length);
    [hash, length] = [startHash(file), 0];
  };
  try {
    const buffer = new Uint8Array(READ_BYTES);
    const { size } = await handle.stat();
    if (size > file.size) {
      await handle.truncate(0);
    } else {
      for (let read; length < size && (read = await handle.read(buffer)) !== null;) {
        count(buffer.subarray(0, read));
      }
      onBytes(length); // at once, or reading them would count as the pace of the download
    }
  } catch (error) {
    handle.close();
    throw error;
  }
  return {
    file,
    handle,
    get length() {
      return length;
    },
    async append(bytes) {
      for (let at = 0; at < bytes.length;) {
        const written = await handle.write(bytes.subarray(at));
        count(bytes.subarray(at, at + written));
        onBytes(written);
        at += written;
      }
    },
    restart,
    digest: () => hash.copy().digest("hex"),
    [Symbol.dispose]: () => handle.close(),
  };
}

// Git's name of a small file is the SHA-1 of a header and the content.
function startHash({ hash, size }: RepositoryFile): Hash {
  return hash.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

async function fill(target: Target, { url, signal, ...context }: TransferOptions): Promise<void> {
  const { settings } = context;
  const { file } = target;
  await retrying(context, async (gotFurther) => {
    if (target.length === file.size) return;
    const from = target.length;
    const response = await request(url, {
      settings,
      signal,
      // Compressed bytes could not be counted from `from` on.
      headers: { "Accept-Encoding": "identity", ...(from > 0 ? { Range: `bytes=${from}-` } : {}) },
    });
    if (from > 0 && response.status !== 206) await target.restart(); // it sends the whole
    checkStart(response, target.length);
    for await (const bytes of readChunks(response, { settings, signal })) {
      if (target.length + bytes.length > file.size) {
        throw new HubError("damaged", `there are more than the ${file.size} bytes that it should have`);
      }
      await target.append(bytes);
      gotFurther();
    }
    if (target.length < file.size) {
      throw new HubError("unreachable", `${file.path}: the connection was cut after ${target.length} bytes`);
    }
  });
  const digest = target.digest();
  if (digest === file.hash) return;
  const kind = file.hash.length === 64 ? "SHA-256" : "git SHA-1";
  throw new HubError("damaged", `the ${kind} of what came is ${digest}, but should be ${file.hash}`);
}

function checkStart({ status, headers }: Response, from: number): void {
  if (status !== 206) return;
  const range = headers.get("Content-Range") ?? "nothing";
  if (range.startsWith(`bytes ${from}-`)) return;
  throw new HubError("unusable", `the server was asked for the bytes from ${from} on and sent ${range}`);
}

function explain(error: unknown, { path, size }: RepositoryFile): unknown {
  if (error instanceof HubError) {
    if (error.kind === "damaged") {
      return new HubError("damaged", `${path}: ${error.message}; it was thrown away, so run this again`, {
        cause: error,
      });
    }
    if (error.kind === "unreachable") {
      const message = `${path}: ${
        error.message.replace(`${path}: `, "")
      }; what has come is kept, so run this again`;
      return new HubError("interrupted", message, { cause: error });
    }
    return error;
  }
  // ENOSPC has no class of its own.
  if (error instanceof Error && /os error (28|112|122)\b/.test(error.message)) {
    const message = `${path}: no room for its ${size} bytes; free some, or set HF_HUB_CACHE to another disk`;
    return new HubError("disk", message, { cause: error });
  }
  return error;
}
