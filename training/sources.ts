/**
 * Where the files of a run are: what its configuration names, on this machine or fetched from the hub. This module does
 * file I/O.
 */
import { resolveData, type ResolvedModel, resolveModel, type ResolveOptions } from "../hub/resolve.ts";
import type { DataEntry } from "../data/read_sources.ts";
import { parseModelConfig } from "../models/families/mod.ts";
import type { RunConfig } from "./config.ts";

/** What `data/read.ts` reads, by the ends of the files' names. */
export const RECORD_EXTENSIONS: readonly string[] = [".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet"];

/**
 * Finds a model that is named by its path or by its id on the hub, as `resolveModel` does; of one whose architecture
 * can't be used, no weights are fetched.
 */
export function findModel(name: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  return resolveModel(name, { ...options, checkConfig });
}

function checkConfig(text: string, name: string): void {
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(text);
  } catch {
    return; // whoever opens the directory says so
  }
  parseModelConfig(config, { name });
}

/** The files of a run on this machine. */
export interface RunFiles {
  /** Directory of the model that training starts from. */
  readonly model: string;
  /** Directory of the model that the reference starts from; null for the policy itself. */
  readonly reference: string | null;
  /** Files of the records that are named by what is not a path here: the name, with its commit, and the files. */
  readonly located: ReadonlyMap<string, readonly string[]>;
}

/** Which model and records a run has: as they are named, and where they are. */
export type RunNames = Pick<RunConfig, "model" | "data" | "reference">;

/** A configuration that names exactly what it stands for, and the files. */
export interface RunSources<C> {
  /** The configuration; what it names on the hub is named with its commit. */
  readonly config: C;
  /** The files. */
  readonly files: RunFiles;
}

/** What an interrupted run recorded of its names. */
export interface RecordedNames {
  /** Of models. */
  readonly models: readonly string[];
  /** Of records. */
  readonly data: readonly string[];
}

/**
 * Finds everything that a run's configuration names, and fetches what is on the hub and not in the cache.
 *
 * @param options.recorded the names that an interrupted run recorded: where the configuration names the same repository
 * without a revision, the run continues with the commit that it had
 * @throws {Error} if something named can't be had; the message says what was tried and what to do
 */
export async function locateRun<C extends RunNames>(
  config: C,
  { recorded, ...options }: ResolveOptions & { recorded?: RecordedNames } = {},
): Promise<RunSources<C>> {
  const { model, data, reference } = config;
  const find = (name: string) => findModel(asRecorded(name, recorded?.models ?? []), options);
  const located = new Map<string, readonly string[]>();
  const locate = <Entry extends DataEntry>(entry: Entry, purpose: "train" | "eval"): Promise<Entry> =>
    locateRecords(entry, {
      ...options,
      purpose,
      located,
      datasetInfo: data.datasetInfo,
      recorded: recorded?.data ?? [],
    });

  const foundModel = await find(model.path);
  const referencePath = reference?.path ?? null;
  const foundReference = referencePath === null ? null : await find(referencePath);
  const train: DataEntry[] = [];
  for (const entry of data.train) train.push(await locate(entry, "train"));
  const held = data.eval === null || typeof data.eval === "number"
    ? data.eval
    : await locate(data.eval, "eval");
  return {
    config: {
      ...config,
      model: { ...model, path: foundModel.source },
      data: { ...data, train, eval: held },
      ...(reference === undefined
        ? {}
        : { reference: { ...reference, path: foundReference?.source ?? null } }),
    },
    files: { model: foundModel.path, reference: foundReference?.path ?? null, located },
  };
}

/**
 * Finds the files of records that are named by a path or by a name on the hub, and fetches what is not in the cache.
 *
 * @param options `located`: where the files of what is no path here are put, by its name; `datasetInfo`: the run's
 * `dataset_info.json`, whose names stay as they are; `recorded`: names of an interrupted run
 * @returns the entry; what it names on the hub is named with its commit
 * @throws {Error} if the records can't be had
 */
export async function locateRecords<Entry extends DataEntry>(
  entry: Entry,
  { located, datasetInfo, recorded = [], ...options }: ResolveOptions & {
    located: Map<string, readonly string[]>;
    datasetInfo?: string | null | undefined;
    recorded?: readonly string[];
    purpose?: "train" | "eval";
  },
): Promise<Entry> {
  const path = typeof entry === "string" ? entry : entry.path;
  // A name in dataset_info.json may look like one of the hub.
  if (datasetInfo != null && !path.startsWith("hf://")) return entry;
  const { paths, source } = await resolveData(asRecorded(path, recorded), {
    ...options,
    extensions: RECORD_EXTENSIONS,
  });
  if (paths.length === 1 && paths[0] === source) return entry;
  located.set(source, paths);
  return (typeof entry === "string" ? source : { ...(entry as object), path: source }) as Entry;
}

// The recorded name that is this one with a commit.
function asRecorded(name: string, recorded: readonly string[]): string {
  const plain = (text: string) => text.replace(/^hf:\/\/(datasets\/)?/, "");
  const commit = /@[0-9a-f]{40}(?=\/|$)/;
  return recorded.find((other) => commit.test(other) && plain(other.replace(commit, "")) === plain(name)) ??
    name;
}
