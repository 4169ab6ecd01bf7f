/**
 * Files of a repository at one commit, in the cache: those that are missing are fetched. This module does file I/O and
 * uses `Deno.*`.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { type RepositoryCache, repositoryCache, type RepositoryFile, sizeOf } from "./cache.ts";
import { HubError } from "./errors.ts";
import { type HubId, isCommit } from "./id.ts";
import { DEFAULT_REVISION, explain, fileUrl, findCommit, list, listTree } from "./repository.ts";
import type { HubContext } from "./request.ts";
import { incompletePath, transfer } from "./transfer.ts";

/** Files of a repository in the cache. */
export interface Snapshot {
  /** The directory that holds them under their own names. */
  readonly directory: string;
  /** Their commit. */
  readonly commit: string;
  /** Their paths in the directory. */
  readonly files: readonly string[];
}

/** Chooses among the paths of a commit's files; `read` gives one's text. */
export type ChooseFiles = (
  paths: readonly string[],
  read: (path: string) => Promise<string>,
) => string[] | Promise<string[]>;

const PARALLEL_TRANSFERS = 4;

/**
 * Brings chosen files of a repository into the cache.
 *
 * Where the hub can't be reached, or `HF_HUB_OFFLINE` is set, the commit that was fetched last is used, if the cache has
 * it whole.
 *
 * @throws {HubError} if they can't be had; what came stays for the next time
 */
export async function fetchSnapshot(id: HubId, choose: ChooseFiles, context: HubContext): Promise<Snapshot> {
  const cache = repositoryCache(context.settings, id);
  const revision = id.revision ?? DEFAULT_REVISION;
  const { commit, tree } = await locate(id, cache, context);
  const snapshot = cache.snapshot(commit);
  const byPath = new Map(tree.map((file) => [file.path, file]));
  const fetchFiles = (paths: readonly string[], context: HubContext) =>
    fetchAll(paths.map((path) => byPath.get(path)!), { id, commit, cache, context });
  // What is read to choose is small, and not what somebody waits for.
  const quiet: HubContext = {
    ...context,
    onEvent: (event) => event.type === "progress" || context.onEvent(event),
  };
  const files = await choose([...byPath.keys()], async (path) => {
    await fetchFiles([path], quiet);
    return await Deno.readTextFile(`${snapshot}/${path}`);
  });
  await fetchFiles(files, context);
  // Only now: a branch never names a commit that is here in part while an older one is here whole.
  if (!isCommit(revision) && await cache.readRef(revision) !== commit) await cache.writeRef(revision, commit);
  return { directory: snapshot, commit, files };
}

async function locate(
  id: HubId,
  cache: RepositoryCache,
  context: HubContext,
): Promise<{ commit: string; tree: RepositoryFile[] }> {
  const { settings, onEvent } = context;
  const revision = id.revision ?? DEFAULT_REVISION;
  const cached = isCommit(revision) ? revision : await cache.readRef(revision);
  const known = cached === null ? null : await cachedTree(cache, cached);
  if (settings.offline) {
    if (known !== null) return { commit: cached!, tree: known };
    throw new HubError(
      "unreachable",
      `not in the cache ${settings.cache}, and HF_HUB_OFFLINE allows nothing else`,
    );
  }
  // With something to fall back on, nobody needs to wait for a hub that doesn't answer.
  const asking = known === null ? context : { ...context, settings: { ...settings, retries: 1 } };
  try {
    const commit = isCommit(revision) ? revision : await findCommit(id, asking);
    const tree = await cache.readTree(commit);
    if (tree !== null) return { commit, tree };
    const listed = await listTree(id, commit, asking);
    await cache.writeTree(commit, listed);
    return { commit, tree: listed };
  } catch (error) {
    if (!(error instanceof HubError) || error.kind !== "unreachable" || known === null) throw error;
    onEvent({ type: "message", text: `${error.message}; using ${id.name} from the cache, commit ${cached}` });
    return { commit: cached!, tree: known };
  }
}

// Older software kept no list of a commit's files; then those that are here are all that is known.
async function cachedTree(cache: RepositoryCache, commit: string): Promise<RepositoryFile[] | null> {
  const tree = await cache.readTree(commit);
  if (tree !== null) return tree;
  const present = await cache.present(commit);
  return present.length === 0 ? null : present.map((path) => ({ path, size: 0, hash: "", oid: "" }));
}

interface Fetching {
  id: HubId;
  commit: string;
  cache: RepositoryCache;
  context: HubContext;
}

async function fetchAll(
  files: readonly RepositoryFile[],
  { id, commit, cache, context }: Fetching,
): Promise<void> {
  const { settings, onEvent } = context;
  const snapshot = cache.snapshot(commit);
  const there = await Promise.all(files.map(({ path }) => sizeOf(`${snapshot}/${path}`)));
  const missing = files.filter((_, i) => there[i] === null);
  if (missing.length === 0) return;
  const names = missing.map(({ path }) => path);
  if (settings.offline) {
    throw new HubError(
      "unreachable",
      `the cache has it in part; missing: ${list(names)} (HF_HUB_OFFLINE is set)`,
    );
  }
  // Files of the same content are one blob.
  const blobs = [...Map.groupBy(missing, ({ hash }) => hash).values()];
  await checkRoom(blobs.map(([file]) => file!), { cache, settings });
  const total = blobs.reduce((sum, [file]) => sum + file!.size, 0);
  let received = 0;
  const onBytes = (count: number) => {
    received += count;
    onEvent({ type: "progress", received, total });
  };
  // Small files first: what is wrong with them shows before the large ones are here.
  const queue = blobs.toSorted(([a], [b]) => a!.size - b!.size);
  const stop = new AbortController();
  const work = async () => {
    for (let files; (files = queue.shift()) !== undefined && !stop.signal.aborted;) {
      const file = files[0]!;
      const url = fileUrl(id, file.path, { commit, endpoint: settings.endpoint });
      const [path, lock] = [cache.blob(file), cache.lock(file)];
      try {
        await transfer(file, { ...context, url, path, lock, onBytes, signal: stop.signal });
        for (const named of files) await cache.link(named, commit);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: PARALLEL_TRANSFERS }, work));
  if (results.some(({ status }) => status === "rejected")) {
    throw await explain(stop.signal.reason, id, context);
  }
}

async function checkRoom(
  files: readonly RepositoryFile[],
  { cache, settings }: { cache: RepositoryCache; settings: HubContext["settings"] },
): Promise<void> {
  await Deno.mkdir(settings.cache, { recursive: true });
  const { bavail, bsize } = await statfs(settings.cache);
  const room = bavail * bsize;
  let needed = 0;
  for (const file of files) {
    const [whole, part] = await Promise.all([
      sizeOf(cache.blob(file)),
      sizeOf(incompletePath(cache.blob(file))),
    ]);
    if (whole !== file.size) needed += Math.max(0, file.size - (part ?? 0));
  }
  if (needed <= room) return;
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  throw new HubError(
    "disk",
    `${mebibytes(needed)} are to be fetched, but only ${
      mebibytes(room)
    } are free in ${settings.cache}; free some, or ` +
      "set HF_HUB_CACHE to another disk",
  );
}
