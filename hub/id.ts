/**
 * Names of models and data sets on the hub: `owner/name`, `owner/name@revision`, `hf://datasets/owner/name/file`.
 *
 * @module
 */

/** Kinds of repository that are read. */
export type RepositoryType = "model" | "dataset";

/** A repository of the hub, perhaps at a revision, perhaps one file of it. */
export interface HubId {
  /** Its kind. */
  readonly type: RepositoryType;
  /** `owner/name`. */
  readonly name: string;
  /** A branch, tag or commit; null for the default, `main`. */
  readonly revision: string | null;
  /** A file in the repository; null for the whole. */
  readonly path: string | null;
}

const WORD = "[A-Za-z0-9](?:[\\w.-]*[A-Za-z0-9])?";
const NAME = new RegExp(`^(${WORD}/${WORD})(?:@(.*))?$`);
// Revisions with slashes would swallow the path; the hub's own have this form, others are written with %2F.
const FILE = new RegExp(`^(${WORD}/${WORD})(?:@(refs/[^/]+/[^/]+|[^/]*))?(?:/(.*))?$`);
const COMMIT = /^[0-9a-f]{40}$/;

/** Whether a revision is a whole commit hash, which never comes to mean anything else. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/**
 * Reads `owner/name`, `owner/name@revision`, or either after `hf://`.
 *
 * @returns null for anything else, which can only be a path
 * @throws {Error} for a revision that can't be one
 *
 * @example
 * ```ts
 * import { parseModelId } from "@tr/align/hub";
 * import { assertEquals } from "@std/assert";
 *
 * const { name, revision } = parseModelId("HuggingFaceTB/SmolLM2-135M@main")!;
 * assertEquals([name, revision], ["HuggingFaceTB/SmolLM2-135M", "main"]);
 * assertEquals(parseModelId("./model"), null);
 * ```
 */
export function parseModelId(text: string): HubId | null {
  const match = NAME.exec(text.replace(/^hf:\/\//, ""));
  if (match === null) return null;
  return { type: "model", name: match[1]!, revision: checkRevision(match[2], text), path: null };
}

/**
 * Reads `hf://datasets/owner/name`, with `@revision` and a file's path after it if wanted, or `owner/name`.
 *
 * Revisions with a slash other than `refs/…/…` are written with `%2F`.
 *
 * @returns null for anything else, which can only be a path
 * @throws {Error} for what starts with `hf://` and names no data set, and for a revision or path that can't be one
 *
 * @example
 * ```ts
 * import { parseDatasetId } from "@tr/align/hub";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDatasetId("hf://datasets/Anthropic/hh-rlhf@main/helpful-base/train.jsonl.gz"), {
 *   type: "dataset",
 *   name: "Anthropic/hh-rlhf",
 *   revision: "main",
 *   path: "helpful-base/train.jsonl.gz",
 * });
 * ```
 */
export function parseDatasetId(text: string): HubId | null {
  const prefix = "hf://datasets/";
  if (!text.startsWith(prefix)) {
    if (text.startsWith("hf://")) throw new Error(`${text}: data is named hf://datasets/owner/name/file`);
    const match = NAME.exec(text);
    if (match === null) return null;
    return { type: "dataset", name: match[1]!, revision: checkRevision(match[2], text), path: null };
  }
  const match = FILE.exec(text.slice(prefix.length));
  if (match === null) {
    throw new Error(`${text}: wanted hf://datasets/owner/name, then @revision and /path/to/file if need be`);
  }
  const [, name, revision, path = ""] = match;
  if (path !== "" && !isSafePath(path)) throw new Error(`${text}: ${path} is no path in a repository`);
  return {
    type: "dataset",
    name: name!,
    revision: checkRevision(revision?.replaceAll(/%2f/gi, "/"), text),
    path: path === "" ? null : path,
  };
}

/**
 * Writes an id so that it is read as the same again.
 *
 * @example
 * ```ts
 * import { formatId, parseDatasetId } from "@tr/align/hub";
 * import { assertEquals } from "@std/assert";
 *
 * const id = parseDatasetId("hf://datasets/owner/pairs/train.jsonl")!;
 * assertEquals(formatId({ ...id, revision: "v1" }), "hf://datasets/owner/pairs@v1/train.jsonl");
 * ```
 */
export function formatId({ type, name, revision, path }: HubId): string {
  if (path === null) return revision === null ? name : `${name}@${revision}`;
  const written = revision === null || /^refs\/[^/]+\/[^/]+$/.test(revision)
    ? revision
    : revision.replaceAll("/", "%2F");
  return `hf://${type}s/${name}${written === null ? "" : `@${written}`}/${path}`;
}

/** Whether a path from a repository stays inside the directory that it is joined to, on any system. */
export function isSafePath(path: string): boolean {
  return path.split("/").every((part) =>
    part !== "" && part !== "." && part !== ".." && !part.includes("\\") && !/^[A-Za-z]:/.test(part)
  );
}

function checkRevision(revision: string | undefined, text: string): string | null {
  if (revision === undefined) return null;
  if (revision !== "" && isSafePath(revision) && !/[\s?#]/.test(revision)) return revision;
  throw new Error(`${text}: wanted a branch, tag or commit after the @`);
}
