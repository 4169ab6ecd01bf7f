/** What an evaluation reads: models, records, prompts. */
import { resolveData } from "../../hub/resolve.ts";
import { type Examples, listOf } from "../../training/examples.ts";
import type { LoadedModel } from "../../training/load.ts";
import { loadRecords } from "../../training/load_records.ts";
import { locateRecords, RECORD_EXTENSIONS } from "../../training/sources.ts";
import type { DataEntry } from "../../data/read_sources.ts";
import { checkLengths } from "../check_lengths.ts";
import type { EvaluateConfig } from "../config.ts";
import { withDownloads } from "../download_progress.ts";
import { type Asked, askFromFiles, askFromRecords } from "./asked.ts";
import { type EvaluatedModels, findModels } from "./find_models.ts";

/** The word in place of a path that stands for the prompts of the records. */
const OF_RECORDS = "records";

/** Everything that a configuration names, on this machine. */
export interface FoundInputs {
  /** The models. */
  readonly models: EvaluatedModels;
  /** Sources of records; null if there are none. */
  readonly records: readonly DataEntry[] | null;
  /** The files of those that are no paths here. */
  readonly located: ReadonlyMap<string, readonly string[]>;
  /** Files of prompts; null if there are none of their own. */
  readonly prompts: readonly string[] | null;
}

/** Finds what a configuration names, and fetches what is on the hub. */
export function findInputs(config: EvaluateConfig): Promise<FoundInputs> {
  const { data } = config;
  return withDownloads(async (onEvent) => {
    const models = await findModels(config, { onEvent });
    const located = new Map<string, readonly string[]>();
    const records: DataEntry[] = [];
    for (const entry of data.records ?? []) {
      records.push(
        await locateRecords(entry, { onEvent, datasetInfo: data.datasetInfo, located, purpose: "eval" }),
      );
    }
    const prompts = data.prompts === null || data.prompts === OF_RECORDS
      ? null
      : (await resolveData(data.prompts, { onEvent, extensions: RECORD_EXTENSIONS })).paths;
    return { models, records: data.records === null ? null : records, located, prompts };
  });
}

/** What is measured on, with what a user should know of it. */
export interface ReadInputs {
  /** Records; null if there are none. */
  readonly examples: Examples | null;
  /** Prompts; null if there are none. */
  readonly asked: Asked | null;
  /** One line each. */
  readonly notes: readonly string[];
}

/**
 * Reads records and prompts.
 *
 * @throws If one can't be used, or is too long for the model.
 */
export async function readInputs(
  { data, model: { path } }: EvaluateConfig,
  { model, found }: { model: LoadedModel; found: FoundInputs },
): Promise<ReadInputs> {
  const { tokenizer, config: { maxPositions } } = model;
  let examples: Examples | null = null;
  const notes: string[] = [];
  if (found.records !== null) {
    const loaded = await loadRecords(found.records, {
      wanted: "any",
      tokenizer,
      data,
      located: found.located,
      splits: ["validation", "test"],
    });
    notes.push(...loaded.notes, ...(loaded.dropped === "" ? [] : loaded.dropped.split("\n")));
    examples = firstOf(loaded.examples, data.recordsLimit);
    checkLengths(examples, { path, maxPositions });
  }
  const limit = data.promptsLimit;
  const asked = found.prompts !== null
    ? await askFromFiles(found.prompts, { limit })
    : data.prompts === OF_RECORDS
    ? askFromRecords(examples!, { tokenizer, limit })
    : null;
  return { examples, asked, notes };
}

function firstOf(examples: Examples, limit: number | null): Examples {
  if (limit === null || limit >= examples.length) return examples;
  const sizes = examples.sizes;
  return listOf(limit, (index) => examples.at(index), sizes && ((index) => sizes(index)));
}
