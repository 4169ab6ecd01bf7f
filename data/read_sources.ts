/**
 * What a user points at, a file, a directory or a name in `dataset_info.json`, to files of records. This
 * module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { parseDatasetInfo } from "./dataset_info.ts";
import { isJsonObject } from "./fields.ts";
import { findSplit, hubSplits } from "./hub_splits.ts";
import type { LlamaFactoryLayout } from "./llama_factory.ts";
import { openFile, RECORD_FILE } from "./read.ts";

/** A source of records: a path alone, or with what else there is to say. */
export type DataEntry = string | {
  /** A file, a directory, or a name in `dataset_info.json`. */
  readonly path: string;
  /** Which split of a directory. */
  readonly split?: string;
  /** How much of what is drawn comes from it, against the other sources' weights. */
  readonly weight?: number;
};

/** A source's files and how they are read. */
export interface DataSource {
  /** The source as the user named it. */
  readonly name: string;
  /** Its files, at least one. */
  readonly files: readonly string[];
  /** How the records are laid out; null where their keys say it. */
  readonly layout: LlamaFactoryLayout | null;
  /** Its weight; null where none was given. */
  readonly weight: number | null;
  /** Whether it is one of `dataset_info.json`. */
  readonly isListed: boolean;
}

/** Files of JSON that describe a data set and are none of its records. */
const DESCRIPTIONS = [
  "dataset_info.json",
  "dataset_infos.json",
  "dataset_dict.json",
  "state.json",
  "config.json",
];

/**
 * Finds the files of each source.
 *
 * A directory, such as a data set downloaded from the Hugging Face hub, is searched for record files, and
 * those of one split are taken: the one that the entry names, or else the first of `splits` that is there. A
 * name in
 * `dataset_info.json` stands for the file that its entry gives, in the layout that it describes.
 *
 * @param entries as the user gives them
 * @param options `datasetInfo`: path of a `dataset_info.json`; `splits`: which split of a directory to take
 * where none is named, default `train`; `located`: the files of what is not a path here
 * @throws {Error} if there is no such path, split or entry, or a setting would be ignored
 */
export async function resolveSources(
  entries: readonly DataEntry[],
  { datasetInfo = null, splits = ["train"], located }: {
    datasetInfo?: string | null;
    splits?: readonly string[];
    located?: ReadonlyMap<string, readonly string[]> | undefined;
  } = {},
): Promise<DataSource[]> {
  const info = datasetInfo === null ? null : await readJson(datasetInfo);
  return await Promise.all(entries.map(async (entry): Promise<DataSource> => {
    const { path, split = null, weight = null } = typeof entry === "string" ? { path: entry } : entry;
    const elsewhere = located?.get(path);
    if (elsewhere !== undefined) {
      if (split !== null) {
        throw new Error(
          `${path}: split ${split} would be ignored; name the files of a split on the hub by their path`,
        );
      }
      return { name: path, files: elsewhere, layout: null, weight, isListed: false };
    }
    const isListed = info !== null && (isJsonObject(info) && path in info || !(await isThere(path)));
    if (!isListed) {
      return { name: path, files: await findFiles(path, { split, splits }), layout: null, weight, isListed };
    }
    const found = parseDatasetInfo(info, { name: path, file: datasetInfo! });
    const folder = datasetInfo!.includes("/") ? datasetInfo!.slice(0, datasetInfo!.lastIndexOf("/") + 1) : "";
    const file = found.fileName.startsWith("/") ? found.fileName : folder + found.fileName;
    const files = await findFiles(file, { split: split ?? found.split, splits });
    return { name: path, files, layout: found.layout, weight, isListed };
  }));
}

async function findFiles(
  path: string,
  { split, splits }: { split: string | null; splits: readonly string[] },
): Promise<string[]> {
  const stat = await Deno.stat(path).catch(() => null);
  if (stat === null || !stat.isDirectory) {
    if (split !== null) throw new Error(`${path}: split ${split} would be ignored, for this is no directory`);
    return [path]; // if there is no such file, its reader says so
  }
  const root = path.replace(/\/+$/, "");
  const all = hubSplits(await listRecordFiles(root));
  const names = Object.keys(all);
  if (names.length === 0) {
    throw new Error(
      `${path}: no file of records in this directory; wanted files that end in .jsonl, .jsonl.gz, .json, .json.gz or ` +
        `.parquet`,
    );
  }
  const taken = split ?? splits.find((name) => findSplit(all, name) !== undefined);
  const files = taken === undefined ? undefined : findSplit(all, taken);
  if (files === undefined) {
    throw new Error(
      `${path}: there is no split ${split ?? splits.join(" or ")}; it has ${
        names.join(", ")
      }: name one with ` +
        `{ path: ${path}, split: ${names[0]} }`,
    );
  }
  const folders = [...new Set(files.map((file) => file.slice(0, Math.max(file.lastIndexOf("/"), 0)) || "."))];
  if (folders.length > 1) {
    throw new Error(
      `${path}: split ${taken} is in several directories (${
        folders.join(", ")
      }), which may be several data sets; give ` +
        `one of them, or a list`,
    );
  }
  return files.map((file) => `${root}/${file}`);
}

async function listRecordFiles(root: string, folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
    if (name.startsWith(".")) continue; // such as .cache, which downloads leave behind
    if (isDirectory) found.push(...await listRecordFiles(root, `${folder}${name}/`));
    else if (RECORD_FILE.test(name) && !DESCRIPTIONS.includes(name)) found.push(folder + name);
  }
  return found;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function readJson(path: string): Promise<unknown> {
  using file = await openFile(path);
  const text = await new Response(file.readable).text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: malformed JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
