/**
 * Where the files of a run are: what its configuration names, on this machine or fetched from the hub. This module does
 * file I/O.
 */
import { resolveData, type ResolvedModel, resolveModel, type ResolveOptions } from "../hub/resolve.ts";
import { parseLlamaConfig } from "../models/files/llama_config.ts";
import type { RunConfig } from "./config.ts";

/** What `data/read.ts` reads, by the ends of the files' names. */
export const RECORD_EXTENSIONS: readonly string[] = [".jsonl", ".jsonl.gz", ".json", ".json.gz"];

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
  parseLlamaConfig(config, { name });
}

/** The files of a run on this machine. */
export interface RunFiles {
  /** Directory of the model that training starts from. */
  readonly model: string;
  /** Directory of the model that the reference starts from; null for the policy itself. */
  readonly reference: string | null;
  /** Files of training records. */
  readonly train: readonly string[];
  /** Files of held-out records, if any. */
  readonly eval: readonly string[] | null;
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
export async function resolveSources<C extends RunNames>(
  config: C,
  { recorded, ...options }: ResolveOptions & { recorded?: RecordedNames } = {},
): Promise<RunSources<C>> {
  const find = (name: string) => findModel(asRecorded(name, recorded?.models ?? []), options);
  const findData = (name: string, purpose: "train" | "eval") =>
    resolveData(asRecorded(name, recorded?.data ?? []), {
      ...options,
      purpose,
      extensions: RECORD_EXTENSIONS,
    });

  const { model, data, reference } = config;
  const foundModel = await find(model.path);
  const referencePath = reference?.path ?? null;
  const foundReference = referencePath === null ? null : await find(referencePath);
  const train = [];
  for (const name of data.train) train.push(await findData(name, "train"));
  const held = data.eval === null ? null : await findData(data.eval, "eval");
  return {
    config: {
      ...config,
      model: { ...model, path: foundModel.source },
      data: { ...data, train: train.map(({ source }) => source), eval: held?.source ?? null },
      ...(reference === undefined
        ? {}
        : { reference: { ...reference, path: foundReference?.source ?? null } }),
    },
    files: {
      model: foundModel.path,
      reference: foundReference?.path ?? null,
      train: train.flatMap(({ paths }) => paths),
      eval: held?.paths ?? null,
    },
  };
}

// The recorded name that is this one with a commit.
function asRecorded(name: string, recorded: readonly string[]): string {
  const plain = (text: string) => text.replace(/^hf:\/\/(datasets\/)?/, "");
  const commit = /@[0-9a-f]{40}(?=\/|$)/;
  return recorded.find((other) => commit.test(other) && plain(other.replace(commit, "")) === plain(name)) ??
    name;
}
