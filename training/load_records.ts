/**
 * Reads a run's records: sources, tokens, mixture, and what is held out. This module does file I/O and uses
 * `Deno.*`.
 */
import { mixtureCounts, type MixtureSource } from "../data/mixture.ts";
import { defaultCacheDirectory } from "../data/read_cache.ts";
import { type DataEntry, resolveSources } from "../data/read_sources.ts";
import { type FileTokens, KIND_NAMES, readTokens, type ReadTokensOptions } from "../data/read_tokens.ts";
import type { RecordKind } from "../data/records.ts";
import { countDropped, describeDropped, type DropTally } from "../data/tally.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { TokenizedRecord } from "../data/token_store.ts";
import type { RunConfig } from "./config.ts";
import {
  countExamples,
  type ExamplePart,
  type Examples,
  listOf,
  type PairUse,
  viewExamples,
} from "./examples.ts";
import { holdOut } from "./hold_out.ts";

/** Records as a run takes them; `any` takes pairs as pairs and all others as completions. */
export type RunRecords = "pairs" | "labelled completions" | "demonstrations" | "any";

/** What became of one file. */
export interface LoadedFile {
  /** Its name. */
  readonly file: string;
  /** What its records are. */
  readonly kind: RecordKind;
  /** How many of them can be used. */
  readonly count: number;
  /** What was left out. */
  readonly dropped: DropTally;
  /** Why the first few invalid records are, where they are skipped. */
  readonly problems: readonly string[];
  /** Prompts and completions that were cut. */
  readonly truncated: { readonly prompt: number; readonly completion: number };
}

/** Tokenized records, and what became of the others. */
export interface LoadedRecords {
  /** Ready for the engine. */
  readonly examples: Examples;
  /** The same before packing, to be shown. */
  readonly tokenized: Examples<TokenizedRecord>;
  /** All records of the files as they are there, with those that were held out, and pairs as pairs. */
  readonly every: Examples<TokenizedRecord>;
  /** The files they come from, in order. */
  readonly files: readonly LoadedFile[];
  /** The parts of a mixture by weight; null where all records are taken. */
  readonly mixture: readonly MixtureSource[] | null;
  /** Records left out, one line a reason; empty if none were. */
  readonly dropped: string;
  /** How many were left out. */
  readonly droppedCount: number;
  /** Prompts and completions that were cut. */
  readonly truncated: { readonly prompt: number; readonly completion: number };
  /** What else a user should know, one line each. */
  readonly notes: readonly string[];
}

/** How records are read. */
export interface LoadOptions {
  /** How the run takes them. */
  readonly wanted: RunRecords;
  /** The loss that reads margins, by name; null or left out if none does. */
  readonly needsMargins?: string | null;
  /** The policy's. */
  readonly tokenizer: Tokenizer;
  /** Lengths and what becomes of records that can't be used. */
  readonly data:
    & Pick<RunConfig["data"], "maxLength" | "maxPromptLength" | "truncate" | "invalid">
    & Partial<Pick<RunConfig["data"], "datasetInfo" | "cache">>;
  /** The files of sources that are not paths here, by name. */
  readonly located?: ReadonlyMap<string, readonly string[]>;
  /** Which split of a directory to take where none is named, the first that is there; default `train`. */
  readonly splits?: readonly string[];
}

/**
 * Files from this size on are kept in the cache that is used when none is named: reading smaller ones is
 * quick.
 */
const LEAST_CACHED_BYTES = 1 << 20;

/**
 * Reads and tokenizes sources of records.
 *
 * A pair also serves where labelled completions are wanted (as one desirable and one undesirable) and where
 * demonstrations are (its chosen completion).
 *
 * @throws If a file can't be read, a record can't be used (and `data.invalid` is `error`), or none is left.
 */
export async function loadRecords(
  entries: readonly DataEntry[],
  options: LoadOptions,
): Promise<LoadedRecords> {
  return (await loadSources(entries, options)).whole;
}

/**
 * Reads the records of a run: those to train on, and those held out.
 *
 * @throws As {@linkcode loadRecords}, and if a share to hold out leaves nothing on one side.
 */
export async function loadRunRecords(
  data: RunConfig["data"],
  options: Omit<LoadOptions, "data" | "splits"> & { seed: number },
): Promise<{ records: LoadedRecords; heldOut: LoadedRecords | null }> {
  const { eval: held, evalRecords, datasetInfo = null } = data;
  const trained = await loadSources(data.train, { ...options, data });
  const limited = (loaded: LoadedRecords) =>
    evalRecords === null ? loaded : limitRecords(loaded, evalRecords);
  const isShare = typeof held === "number";
  const evaluated = held === null || isShare
    ? null
    : await loadSources([held], { ...options, data, splits: ["validation", "test"] });
  if (datasetInfo !== null && !trained.isListed && !evaluated?.isListed) {
    throw new Error(`data.dataset_info: ${datasetInfo} would be ignored, for no source is one of its names`);
  }
  if (!isShare) return { records: trained.whole, heldOut: evaluated && limited(evaluated.whole) };
  const [kept, out] = holdOut(trained.whole.every, { share: held, seed: options.seed });
  const heldOut = {
    ...trained.part(out, { isMixed: false }),
    dropped: "",
    droppedCount: 0,
    truncated: { prompt: 0, completion: 0 },
  };
  return { records: trained.part(kept), heldOut: limited(heldOut) };
}

async function loadSources(entries: readonly DataEntry[], options: LoadOptions): Promise<{
  /** All records. */
  whole: LoadedRecords;
  /** The records with the given indices among all; `isMixed`: whether weights apply, default true. */
  part: (indices: Uint32Array, options?: { isMixed: boolean }) => LoadedRecords;
  /** Whether a source is one of `dataset_info.json`. */
  isListed: boolean;
}> {
  const { wanted, needsMargins = null, tokenizer, data, located, splits = ["train"] } = options;
  const sources = await resolveSources(entries, { datasetInfo: data.datasetInfo ?? null, splits, located });
  const severalFiles = sources.flatMap(({ files }) => files).length > 1;
  const loaded: (FileTokens & { source: number })[] = [];
  for (const [source, { files, layout }] of sources.entries()) {
    for (const file of files) {
      const tokens = await readTokens(file, {
        tokenizer,
        layout,
        tokenize: {
          maxLength: data.maxLength,
          truncate: data.truncate,
          ...(data.maxPromptLength === null ? {} : { maxPromptLength: data.maxPromptLength }),
        },
        invalid: data.invalid === "skip" ? "skip" : "throw",
        cache: cacheOf(data.cache ?? null),
        accept: (kind) => requireSuitable(kind, { file, wanted }),
      });
      if (needsMargins !== null) requireMargins(tokens, { loss: needsMargins });
      loaded.push({ ...tokens, source });
    }
  }
  const names = entries.map((entry) => typeof entry === "string" ? entry : entry.path);
  const weights = sources.map(({ weight }) => weight);

  const dropped = loaded.map(({ file, dropped }) => describeDropped(dropped, severalFiles ? { file } : {}))
    .filter((text) => text !== "").join("\n");
  const common = {
    dropped,
    droppedCount: loaded.reduce((sum, { dropped }) => sum + countDropped(dropped), 0),
    truncated: {
      prompt: loaded.reduce((sum, { truncated }) => sum + truncated.prompt, 0),
      completion: loaded.reduce((sum, { truncated }) => sum + truncated.completion, 0),
    },
    files: loaded.map(({ file, store, dropped, truncated, problems }) => ({
      file,
      problems,
      kind: store.kind,
      count: store.length,
      dropped,
      truncated,
    })),
    notes: loaded.flatMap(({ notes }) => notes),
    every: viewExamples(loaded.map(({ store }) => ({ store, use: "pair" }))).tokenized,
  };
  return { whole: part(), part, isListed: sources.some(({ isListed }) => isListed) };

  function part(indices?: Uint32Array, { isMixed = true } = {}): LoadedRecords {
    let first = 0;
    const parts = loaded.map(({ store, file, source }): ExamplePart & { source: number } => {
      const own = indices?.filter((index) => index >= first && index < first + store.length)
        .map((index) => index - first);
      first += store.length;
      return {
        store,
        source,
        use: PAIR_USE[wanted],
        ...(severalFiles ? { file } : {}),
        ...(own ? { records: own } : {}),
      };
    });
    const counts = sources.map((_, i) =>
      parts.filter(({ source }) => source === i).reduce((sum, part) => sum + countExamples(part), 0)
    );
    if (counts.every((count) => count === 0)) {
      throw new Error(`${names.join(", ")}: no record is left: ${dropped.replaceAll("\n", "; ")}`);
    }
    return { ...viewExamples(parts), ...common, mixture: isMixed ? mixtureOf(counts) : null };
  }

  function mixtureOf(counts: readonly number[]): MixtureSource[] | null {
    if (weights.every((weight) => weight === null)) return null;
    let start = 0;
    const mixture = counts.map((count, i) => {
      if (count === 0) throw new Error(`${names[i]}: no record is left, but it has a weight; leave it out`);
      start += count;
      return { start: start - count, count, weight: weights[i]! };
    });
    mixtureCounts(mixture); // throws for a weight too small
    return mixture;
  }
}

const SUITABLE: Readonly<Record<RunRecords, readonly RecordKind[]>> = {
  "pairs": ["paired"],
  "labelled completions": ["unpaired", "paired"],
  "demonstrations": ["sft", "paired"],
  "any": ["sft", "paired", "unpaired"],
};

const PAIR_USE: Readonly<Record<RunRecords, PairUse>> = {
  "pairs": "pair",
  "labelled completions": "both",
  "demonstrations": "chosen",
  "any": "pair",
};

function requireMargins({ file, store }: FileTokens, { loss }: { loss: string }): void {
  for (let index = 0; index < store.length; index++) {
    if (store.margin(index) !== undefined) continue;
    throw new Error(
      `${file}:${
        store.line(index)
      }: the record has no number under "margin", which the ${loss} loss reads; give each pair ` +
        "one, or take dpo",
    );
  }
}

function requireSuitable(kind: RecordKind, { file, wanted }: { file: string; wanted: RunRecords }): void {
  if (SUITABLE[wanted].includes(kind)) return;
  const needed = SUITABLE[wanted].map((kind) => KIND_NAMES[kind]).join(" or ");
  throw new Error(`${file}: the records are ${KIND_NAMES[kind]}; this needs ${needed}`);
}

function cacheOf(setting: string | null): NonNullable<ReadTokensOptions["cache"]> | null {
  if (setting === null) return null;
  if (setting !== "auto") return { directory: setting.replace(/\/+$/, "") };
  const directory = defaultCacheDirectory();
  return directory === null ? null : { directory, leastBytes: LEAST_CACHED_BYTES };
}

function limitRecords(records: LoadedRecords, count: number): LoadedRecords {
  const limit = <E>({ length, at, sizes }: Examples<E>) => listOf(Math.min(count, length), at, sizes);
  return { ...records, examples: limit(records.examples), tokenized: limit(records.tokenized) };
}
