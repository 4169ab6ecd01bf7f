/**
 * The cache directory, in the layout of Hugging Face's Python library, so that both use each other's files:
 *
 *     models--owner--name/blobs/<hash>             content, under its SHA-256 or, for small files, git's SHA-1
 *     models--owner--name/snapshots/<commit>/…     links to blobs, under the names that files have in that commit
 *     models--owner--name/refs/<revision>          the commit that a branch or tag meant when it was last fetched
 *     models--owner--name/trees/<commit>.json      which files the commit has
 *     .locks/models--owner--name/<hash>.lock       held while the blob is written
 *
 * This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { getRepoFolderName } from "@huggingface/hub";
import { partialPath, writeFileAtomic } from "../models/files/write_file.ts";
import { type HubId, isSafePath } from "./id.ts";
import type { HubSettings } from "./settings.ts";

/** A file of a repository at a commit. */
export interface RepositoryFile {
  /** Its path in the repository. */
  readonly path: string;
  /** Its length in bytes. */
  readonly size: number;
  /** SHA-256 (64 hex digits) of files in large storage, else git's SHA-1 of a blob (40), which names its blob. */
  readonly hash: string;
  /** Git's SHA-1 of what its repository itself holds: the file, or a pointer to it. */
  readonly oid: string;
  /** Its name in the hub's newer storage, for the software that reads from there. */
  readonly xetHash?: string;
}

/** The files of one repository in the cache. */
export interface RepositoryCache {
  /** The directory of a commit's files. */
  snapshot(commit: string): string;
  /** Where a file's content belongs. */
  blob(file: RepositoryFile): string;
  /** The file whose lock one holds to write a file's content. */
  lock(file: RepositoryFile): string;
  /** The commit that a branch or tag meant when it was last fetched. */
  readRef(revision: string): Promise<string | null>;
  /** Remembers what a branch or tag means. */
  writeRef(revision: string, commit: string): Promise<void>;
  /** The files that a commit has, if that was ever asked. */
  readTree(commit: string): Promise<RepositoryFile[] | null>;
  /** Remembers the files that a commit has. */
  writeTree(commit: string, files: readonly RepositoryFile[]): Promise<void>;
  /** Paths of those files of a commit that are in the cache. */
  present(commit: string): Promise<string[]>;
  /** Gives a blob the name that its file has in a commit. */
  link(file: RepositoryFile, commit: string): Promise<void>;
}

const TREE_FORMAT = 1;

interface TreeEntry {
  size: number;
  blob_id: string;
  lfs_sha256?: string;
  lfs_size?: number;
  xet_hash?: string;
}

/** The files of a repository in the cache directory, whether there are any or not. */
export function repositoryCache({ cache }: HubSettings, { type, name }: HubId): RepositoryCache {
  const folder = getRepoFolderName({ type, name });
  const root = `${cache}/${folder}`;
  const snapshot = (commit: string) => `${root}/snapshots/${commit}`;
  const blob = ({ hash }: RepositoryFile) => `${root}/blobs/${hash}`;
  const ref = (revision: string) => `${root}/refs/${revision}`;
  const tree = (commit: string) => `${root}/trees/${commit}.json`;
  return {
    snapshot,
    blob,
    lock: ({ hash }) => `${cache}/.locks/${folder}/${hash}.lock`,
    async readRef(revision) {
      const text = (await readIfPresent(ref(revision)))?.trim();
      return text !== undefined && /^[0-9a-f]{40}$/.test(text) ? text : null;
    },
    writeRef: (revision, commit) => writeInto(ref(revision), commit),
    async readTree(commit) {
      const text = await readIfPresent(tree(commit));
      return text === undefined ? null : parseTree(text);
    },
    async writeTree(commit, files) {
      const entries = files.toSorted((a, b) => a.path < b.path ? -1 : 1)
        .map((file) => [file.path, treeEntry(file)]);
      const text = JSON.stringify(
        { format_version: TREE_FORMAT, files: Object.fromEntries(entries) },
        null,
        1,
      );
      await writeInto(tree(commit), text);
    },
    present: (commit) => listFiles(snapshot(commit)),
    async link(file, commit) {
      const path = `${snapshot(commit)}/${file.path}`;
      if (await exists(path)) return;
      await Deno.mkdir(parent(path), { recursive: true });
      const up = "../".repeat(file.path.split("/").length + 1);
      const partial = partialPath(path);
      try {
        await Deno.symlink(`${up}blobs/${file.hash}`, partial);
      } catch {
        await Deno.copyFile(blob(file), partial); // Windows lets only some users make links
      }
      await Deno.rename(partial, path);
    },
  };
}

function treeEntry({ size, hash, oid, xetHash }: RepositoryFile): TreeEntry {
  return {
    size,
    blob_id: oid,
    ...(hash === oid ? {} : { lfs_sha256: hash, lfs_size: size }),
    ...(xetHash === undefined ? {} : { xet_hash: xetHash }),
  };
}

// Anything but what this was written for is as good as nothing.
function parseTree(text: string): RepositoryFile[] | null {
  try {
    const { format_version: version, files } = JSON.parse(text);
    if (version !== TREE_FORMAT) return null;
    return Object.entries(files as Record<string, TreeEntry>).map(([path, entry]) => ({
      path,
      size: entry.lfs_size ?? entry.size,
      hash: entry.lfs_sha256 ?? entry.blob_id,
      oid: entry.blob_id,
      ...(entry.xet_hash === undefined ? {} : { xetHash: entry.xet_hash }),
    })).filter(isUsable);
  } catch {
    return null;
  }
}

/** Whether a listed file has a path that stays in its directory, and a hash and size to check it with. */
export function isUsable({ path, size, hash }: RepositoryFile): boolean {
  return isSafePath(path) && Number.isSafeInteger(size) && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash);
}

/** Whether there is something at a path, at the end of links. */
export async function exists(path: string): Promise<boolean> {
  return (await sizeOf(path)) !== null;
}

/** The length of the file at a path, or null if nothing is there. */
export async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

/** The directory that a path lies in. */
export function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

async function writeInto(path: string, text: string): Promise<void> {
  await Deno.mkdir(parent(path), { recursive: true });
  await writeFileAtomic(path, text);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return undefined;
  }
}

// A link whose blob is gone is not present.
async function listFiles(directory: string, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  if (!await exists(directory)) return names;
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${prefix}${name}`;
    if (isDirectory) names.push(...await listFiles(`${directory}/${name}`, `${path}/`));
    else if (await exists(`${directory}/${name}`)) names.push(path);
  }
  return names;
}
