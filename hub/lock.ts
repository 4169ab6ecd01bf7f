/**
 * One process at a time: locks that end with the process that holds them. Hugging Face's Python library takes the same
 * ones (`flock`). This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { parent } from "./cache.ts";

/**
 * Takes the lock of a file, which is made if need be; the lock ends when the result is disposed of.
 *
 * @param options.onWait called if another process holds the lock, before waiting for it
 */
export async function takeLock(
  path: string,
  { onWait }: { onWait: () => void },
): Promise<Disposable> {
  await Deno.mkdir(parent(path), { recursive: true });
  const file = await Deno.open(path, { write: true, create: true });
  try {
    if (!await file.tryLock(true)) {
      onWait();
      await file.lock(true);
    }
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
