/**
 * Replies that were paid for once: JSON lines on disk, found again by a hash of what was asked. This module does file I/O and
 * uses `Deno.*`.
 */

/** Replies by the content of their requests. */
export interface ReplyFile {
  /** How many there are. */
  readonly size: number;
  /** The reply to a request; undefined if it hasn't been asked. */
  find(request: unknown): Promise<string | undefined>;
  /** Keeps a reply; it is on disk when this returns. */
  add(request: unknown, reply: string): Promise<void>;
  /** Closes the file. */
  close(): void;
}

/**
 * Opens a file of replies, or starts one. A line that a killed process left half written is passed over.
 *
 * @throws If the file can't be read or written.
 */
export async function openReplies(path: string): Promise<ReplyFile> {
  const { replies, isTorn } = await readReplies(path);
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { append: true, create: true });
  } catch (cause) {
    throw new Error(`${path}: cannot write here: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  const write = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
  };
  if (isTorn) write("\n");
  return {
    get size() {
      return replies.size;
    },
    find: async (request) => replies.get(await hashOf(request)),
    async add(request, reply) {
      const hash = await hashOf(request);
      replies.set(hash, reply);
      write(JSON.stringify({ hash, reply }) + "\n");
    },
    close: () => file.close(),
  };
}

async function readReplies(path: string): Promise<{ replies: Map<string, string>; isTorn: boolean }> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return { replies: new Map(), isTorn: false };
    throw new Error(`${path}: cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const replies = new Map<string, string>();
  const lines = text.split("\n");
  lines.forEach((line, i) => {
    const entry = parseLine(line);
    if (entry !== null) replies.set(entry.hash, entry.reply);
    // Another file by mistake would be appended to.
    else if (line !== "" && i === 0 && lines.length > 1) {
      throw new Error(`${path}: line 1 is no reply of a judge; is this another file?`);
    }
  });
  return { replies, isTorn: text !== "" && !text.endsWith("\n") };
}

function parseLine(line: string): { hash: string; reply: string } | null {
  try {
    const { hash, reply } = JSON.parse(line);
    return typeof hash === "string" && typeof reply === "string" ? { hash, reply } : null;
  } catch {
    return null;
  }
}

async function hashOf(request: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(request));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
