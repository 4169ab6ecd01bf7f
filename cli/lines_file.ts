/** JSON lines to a file that appears only when it is complete, or to standard output. */
import { partialPath } from "../models/files/write_file.ts";

/** Where a command writes its lines. */
export interface LinesFile {
  /** Writes one object as a line. */
  write(value: unknown): void;
  /** Gives the file its name; nothing can be written after. */
  finish(): Promise<void>;
  /** Removes what was written, unless it was finished. */
  abandon(): Promise<void>;
}

/**
 * Opens a file for lines.
 *
 * @param path The file, or null for standard output.
 * @throws If a file is there already or can't be made.
 */
export async function createLinesFile(path: string | null): Promise<LinesFile> {
  const encoder = new TextEncoder();
  const encode = (value: unknown) => encoder.encode(JSON.stringify(value) + "\n");
  if (path === null) {
    const done = () => Promise.resolve();
    return { write: (value) => writeAllSync(Deno.stdout, encode(value)), finish: done, abandon: done };
  }
  if (await Deno.stat(path).then(() => true, () => false)) {
    throw new Error(`${path}: a file is there already; choose another name for output.file`);
  }
  const partial = partialPath(path);
  let file: Deno.FsFile | null;
  try {
    file = await Deno.open(partial, { write: true, createNew: true });
  } catch (cause) {
    throw new Error(`${path}: cannot write here: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  const close = () => {
    const wasOpen = file !== null;
    file?.close();
    file = null;
    return wasOpen;
  };
  return {
    write: (value) => writeAllSync(file!, encode(value)),
    async finish() {
      if (close()) await Deno.rename(partial, path);
    },
    async abandon() {
      if (close()) await Deno.remove(partial);
    },
  };
}

function writeAllSync(writer: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writer.writeSync(bytes.subarray(written));
}
