/**
 * Files that are either there and whole or not there. This module does file I/O and uses `Deno.*`.
 *
 * @module
 */

/**
 * Writes a file so that its path never holds half of it: under another name first, then renamed.
 *
 * @param path where the file goes; one that is already there is replaced
 * @param content its bytes, or its text
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const partial = partialPath(path);
  try {
    using file = await Deno.open(partial, { write: true, createNew: true });
    await writeAll(file, typeof content === "string" ? new TextEncoder().encode(content) : content);
    await file.syncData(); // else a crash may leave the new name with none of the bytes
    await Deno.rename(partial, path);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
}

/** A sibling of `path` that nothing else uses: `<path>.partial-<8 random hex digits>`. */
export function partialPath(path: string): string {
  return `${path.replace(/\/+$/, "")}.partial-${crypto.randomUUID().slice(0, 8)}`;
}

/** Writes all of `bytes` to an open file, in as many calls as that takes. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
}
