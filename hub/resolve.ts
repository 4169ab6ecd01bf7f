/**
 * From what a configuration names to files on this machine: paths as they are, repositories of the hub through the
 * cache. This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { exists } from "./cache.ts";
import { chooseDataFiles, type DataPurpose, isReadable } from "./data_files.ts";
import { HubError } from "./errors.ts";
import { formatId, type HubId, parseDatasetId, parseModelId } from "./id.ts";
import { chooseModelFiles } from "./model_files.ts";
import { list } from "./repository.ts";
import type { HubContext, HubEvent } from "./request.ts";
import { type HubSettings, hubSettings } from "./settings.ts";
import { type ChooseFiles, fetchSnapshot, type Snapshot } from "./snapshot.ts";

/** What {@linkcode resolveModel} and {@linkcode resolveData} can both be told. */
export interface ResolveOptions {
  /** How the hub is reached; read from the environment by default. */
  readonly settings?: HubSettings;
  /** Receives what happens while files are fetched. */
  readonly onEvent?: (event: HubEvent) => void;
}

/** Options of {@linkcode resolveModel}. */
export interface ResolveModelOptions extends ResolveOptions {
  /** Called with the text of `config.json` and its name before weights are fetched; what it throws ends that. */
  readonly checkConfig?: (text: string, name: string) => void;
}

/** Options of {@linkcode resolveData}. */
export interface ResolveDataOptions extends ResolveOptions {
  /** What the records are for, which decides among the files of a data set; `any` by default. */
  readonly purpose?: DataPurpose;
  /** Ends of the names of files that can be read. */
  readonly extensions: readonly string[];
}

/** A model on this machine. */
export interface ResolvedModel {
  /** Its directory. */
  readonly path: string;
  /** What names exactly this model: the path, or `owner/name@commit`. */
  readonly source: string;
}

/** Records on this machine. */
export interface ResolvedData {
  /** Their files. */
  readonly paths: readonly string[];
  /** What names exactly these: the path, or the data set with its commit. */
  readonly source: string;
}

/**
 * The directory of a model that is named by a path, or by its id on the hub (`owner/name` or `owner/name@revision`).
 *
 * What is there as a path is taken as a path; `hf://owner/name` is always an id. Of a repository only the files that a
 * model is read from are fetched, into the cache that Hugging Face's software uses; `hubSettings` says where that is.
 *
 * @returns the path itself if it can't be an id, whether there is something or not
 * @throws {Error} if there is no such model, or it can't be fetched; the message says what was tried and what to do
 *
 * @example
 * ```ts
 * import { resolveModel } from "@tr/align/hub";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir();
 * assertEquals(await resolveModel(directory), { path: directory, source: directory });
 * // const { path, source } = await resolveModel("HuggingFaceTB/SmolLM2-135M"); source ends in @ and the commit
 * ```
 */
export async function resolveModel(
  model: string,
  options: ResolveModelOptions = {},
): Promise<ResolvedModel> {
  if (await isPath(model)) return { path: model, source: model };
  const id = parseModelId(model);
  if (id === null) return { path: model, source: model };
  const { directory, commit } = await fetchNamed(model, { id, options, choose: modelFiles(id, options) });
  return { path: directory, source: formatId({ ...id, revision: commit }) };
}

/**
 * The files of records that are named by a path, by a data set's file on the hub
 * (`hf://datasets/owner/name@revision/path/to/file.jsonl`), or by a data set (`owner/name`), whose file is then found by
 * its name as {@linkcode chooseDataFiles} does.
 *
 * What is there as a path is taken as a path, and so is what ends as files of records do.
 *
 * @throws {Error} if there is no such data set, or it can't be fetched; the message says what was tried and what to do
 *
 * @example
 * ```ts
 * import { resolveData } from "@tr/align/hub";
 * import { assertEquals } from "@std/assert";
 *
 * const { paths } = await resolveData("pairs.jsonl", { extensions: [".jsonl"] });
 * assertEquals(paths, ["pairs.jsonl"]);
 * // await resolveData("hf://datasets/owner/name/train.jsonl", { extensions: [".jsonl"] }) fetches the file
 * ```
 */
export async function resolveData(data: string, options: ResolveDataOptions): Promise<ResolvedData> {
  const { purpose = "any", extensions } = options;
  const asItIs = { paths: [data], source: data };
  if (await isPath(data)) return asItIs;
  if (!data.startsWith("hf://") && isReadable(data, extensions)) return asItIs;
  const id = parseDatasetId(data);
  if (id === null) return asItIs;
  if (id.path !== null && !isReadable(id.path, extensions)) {
    throw new Error(`${data}: wanted a file name that ends in ${extensions.join(", ")}`);
  }
  const choose: ChooseFiles = id.path === null
    ? (paths) => chooseDataFiles(paths, { purpose, extensions, name: id.name })
    : (paths) => [checkFile(id.path!, paths)];
  const { directory, commit, files } = await fetchNamed(data, { id, options, choose });
  return {
    paths: files.map((path) => `${directory}/${path}`),
    source: formatId({ ...id, revision: commit }),
  };
}

function modelFiles({ name }: HubId, { checkConfig }: ResolveModelOptions): ChooseFiles {
  return async (paths, read) => {
    const files = await chooseModelFiles(paths, { read, name });
    checkConfig?.(await read("config.json"), `${name}/config.json`);
    return files;
  };
}

function checkFile(path: string, paths: readonly string[]): string {
  if (paths.includes(path)) return path;
  const fileName = path.slice(path.lastIndexOf("/") + 1);
  const same = paths.filter((other) => other.endsWith(`/${fileName}`) || other === fileName);
  const others = same.length > 0 ? same : paths;
  throw new HubError("missing", `there is no ${path} in it, but ${list(others)}`);
}

async function fetchNamed(
  given: string,
  { id, options, choose }: { id: HubId; options: ResolveOptions; choose: ChooseFiles },
): Promise<Snapshot> {
  const context: HubContext = {
    settings: options.settings ?? await hubSettings(),
    onEvent: options.onEvent ?? (() => {}),
  };
  try {
    return await fetchSnapshot(id, choose, context);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const mayBePath = !given.startsWith("hf://") && ["missing", "denied", "unreachable"].includes(error.kind);
    const tried = mayBePath ? `no such ${id.type === "model" ? "directory" : "file"} here; ` : "";
    throw new HubError(error.kind, `${given}: ${tried}${error.message}`, { cause: error });
  }
}

async function isPath(name: string): Promise<boolean> {
  return !name.startsWith("hf://") && await exists(name);
}
