/**
 * What the hub says about a repository: the commit of a revision, and the files of a commit.
 *
 * @module
 */
import { datasetInfo, listDatasets, listFiles, listModels, modelInfo } from "@huggingface/hub";
import { isUsable, type RepositoryFile } from "./cache.ts";
import { HubError } from "./errors.ts";
import { type HubId, isCommit } from "./id.ts";
import { createFetch, type HubContext } from "./request.ts";

/** What is taken where no revision is named. */
export const DEFAULT_REVISION = "main";

/**
 * The commit that an id's revision means now.
 *
 * @throws {HubError} that says what is missing, or what to do for access
 */
export async function findCommit(id: HubId, context: HubContext): Promise<string> {
  const { settings } = context;
  const revision = id.revision ?? DEFAULT_REVISION;
  const options = { name: id.name, revision, hubUrl: settings.endpoint, fetch: createFetch(context) };
  try {
    const { sha } = id.type === "model"
      ? await modelInfo({ ...options, additionalFields: ["sha"] })
      : await datasetInfo({ ...options, additionalFields: ["sha"] });
    if (typeof sha === "string" && isCommit(sha)) return sha;
  } catch (error) {
    throw await explain(error, id, context);
  }
  throw new HubError("unusable", `${settings.endpoint} does not say which commit ${revision} is`);
}

/**
 * The files of a commit, those in folders included.
 *
 * @throws {HubError} that says what is missing, or what to do for access
 */
export async function listTree(id: HubId, commit: string, context: HubContext): Promise<RepositoryFile[]> {
  const { settings } = context;
  const files: RepositoryFile[] = [];
  try {
    const entries = listFiles({
      repo: { type: id.type, name: id.name },
      revision: commit,
      recursive: true,
      hubUrl: settings.endpoint,
      fetch: createFetch(context),
    });
    for await (const { type, path, size, oid = "", lfs, xetHash } of entries) {
      if (type !== "file") continue;
      const xet = xetHash === undefined ? {} : { xetHash };
      files.push({ path, size: lfs?.size ?? size, hash: lfs?.oid ?? oid, oid, ...xet });
    }
  } catch (error) {
    throw await explain(error, { ...id, revision: commit }, context);
  }
  return files.filter(isUsable);
}

/** The address of a file of a commit. */
export function fileUrl({ type, name }: HubId, path: string, { commit, endpoint }: {
  commit: string;
  endpoint: string;
}): string {
  const prefix = type === "model" ? "" : `${type}s/`;
  return `${endpoint}/${prefix}${name}/resolve/${commit}/${
    path.split("/").map(encodeURIComponent).join("/")
  }`;
}

/** Puts what the hub refuses with into words that say what to do; other errors stay as they are. */
export async function explain(error: unknown, id: HubId, context: HubContext): Promise<unknown> {
  if (!(error instanceof HubError) || error.answer === null) return error;
  const { kind, answer } = error;
  const { endpoint, token } = context.settings;
  const { type, name, revision } = id;
  const noun = type === "model" ? "model" : "data set";
  const because = (message: string, as = kind) => new HubError(as, message, { answer, cause: error });
  if (answer.code === "GatedRepo") {
    const page = `${endpoint}/${type === "model" ? "" : `${type}s/`}${name}`;
    return because(
      `this ${noun} is gated: accept its conditions at ${page}, then set HF_TOKEN to a token of that account`,
      "denied",
    );
  }
  if (answer.code === "RevisionNotFound") {
    return because(
      `this ${noun} has no revision ${revision ?? DEFAULT_REVISION}${await namedRefs(id, context)}`,
    );
  }
  // The hub answers 401 rather than 404 to those who might not see a repository though it exists.
  const isHidden = answer.status === 401 && answer.message !== "Invalid credentials in Authorization header";
  if (answer.code === "RepoNotFound" || (kind === "missing" && answer.code === null) || isHidden) {
    const access = token === null
      ? "it is private and HF_TOKEN is not set"
      : "your token has no access to it";
    return because(
      `${endpoint} has no such ${noun}, or ${access}${await similarName(id, context)}`,
      "missing",
    );
  }
  if (kind !== "denied") return error;
  return because(
    token === null
      ? `${error.message}; set HF_TOKEN to a token from ${endpoint}/settings/tokens`
      : `${error.message}: it refuses the token; check HF_TOKEN, or make another at ${endpoint}/settings/tokens`,
  );
}

/** Suggestions are worth one quick request, and their failure nothing. */
const quickly = (context: HubContext): HubContext => ({
  settings: { ...context.settings, retries: 0 },
  onEvent: () => {},
});

async function namedRefs({ type, name }: HubId, context: HubContext): Promise<string> {
  try {
    const response = await createFetch(quickly(context))(
      `${context.settings.endpoint}/api/${type}s/${name}/refs`,
    );
    const { branches, tags } = await response.json() as Record<"branches" | "tags", { name: string }[]>;
    const names = [...branches, ...tags].map(({ name }) => name);
    return names.length === 0 ? "" : `; it has ${list(names)}`;
  } catch {
    return "";
  }
}

async function similarName({ type, name }: HubId, context: HubContext): Promise<string> {
  const [owner, query] = name.split("/") as [string, string];
  const options = { limit: 1, hubUrl: context.settings.endpoint, fetch: createFetch(quickly(context)) };
  try {
    // First the owner's own, then anybody's of that name.
    for (const search of [{ owner, query }, { query }]) {
      const results = type === "model"
        ? listModels({ ...options, search })
        : listDatasets({ ...options, search });
      for await (const found of results) return `; did you mean ${found.name}?`;
    }
  } catch {
    // the error that is being explained is what counts
  }
  return "";
}

/** At most five names, and how many more there are. */
export function list(names: readonly string[]): string {
  const rest = names.length - 5;
  return `${names.slice(0, 5).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
