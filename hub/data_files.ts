/**
 * Which files of a repository hold the wanted records.
 *
 * @module
 */
import { HubError } from "./errors.ts";
import { list } from "./repository.ts";

/** What records are for, which their files' names say: `train`; `eval`, held-out ones; `any`. */
export type DataPurpose = "train" | "eval" | "any";

/** Options of {@linkcode chooseDataFiles}. */
export interface DataChoice {
  /** What the records are for. */
  readonly purpose: DataPurpose;
  /** Ends of the names of files that can be read, such as `.jsonl`. */
  readonly extensions: readonly string[];
  /** The data set, for messages. */
  readonly name: string;
}

// The names of splits that Hugging Face's datasets library knows, those for held-out records in order of preference.
const SPLITS: Record<DataPurpose, readonly string[][]> = {
  train: [["train", "training"]],
  eval: [["validation", "valid", "val", "dev"], ["test", "testing", "eval", "evaluation"]],
  any: [],
};

const METADATA = /(^|\/)(dataset_infos?|config|package|metadata)\.json$/;
const SHARD = /-\d{5}-of-\d{5}(?=\.)/;

/**
 * Chooses the files of a data set whose names say that they hold what is wanted, `data/train-00000-of-00002.jsonl` and
 * `helpful/test.jsonl.gz` for example; a data set with one file only has its training records there.
 *
 * @returns one file, or all shards of one
 * @throws {HubError} `unusable` if there are none, or several that are no shards of one
 *
 * @example
 * ```ts
 * import { chooseDataFiles } from "@tr/align/hub";
 * import { assertEquals } from "@std/assert";
 *
 * const paths = ["README.md", "train.jsonl.gz", "test.jsonl.gz"];
 * const options = { extensions: [".jsonl", ".jsonl.gz"], name: "owner/pairs" };
 * assertEquals(chooseDataFiles(paths, { ...options, purpose: "eval" }), ["test.jsonl.gz"]);
 * ```
 */
export function chooseDataFiles(
  paths: readonly string[],
  { purpose, extensions, name }: DataChoice,
): string[] {
  const readable = paths.filter((path) => isReadable(path, extensions) && !METADATA.test(path));
  const advice = `name the file, as in hf://datasets/${name}/${readable[0] ?? "file.jsonl"}`;
  if (readable.length === 0) {
    throw new HubError(
      "unusable",
      `it holds no file that ends in ${extensions.join(", ")}; its files are ${list(paths)}`,
    );
  }
  const bySplit = SPLITS[purpose].map((words) => readable.filter((path) => isOfSplit(path, words)));
  const found = bySplit.find((files) => files.length > 0) ?? (purpose === "eval" ? [] : readable);
  const kind = { train: "training", eval: "held-out", any: "" }[purpose];
  if (found.length === 0) {
    throw new HubError(
      "unusable",
      `no file name says that it holds ${kind} records (${list(readable)}); ${advice}`,
    );
  }
  const groups = new Set(found.map((path) => path.replace(SHARD, "")));
  if (groups.size > 1) {
    throw new HubError(
      "unusable",
      `several files may hold the ${kind}${kind && " "}records (${list(found)}); ${advice}`,
    );
  }
  return found.sort();
}

/** Whether a file's name ends in one of the extensions. */
export function isReadable(path: string, extensions: readonly string[]): boolean {
  return extensions.some((extension) => path.endsWith(extension));
}

// A split's word stands alone in the name, or in that of a folder: test_prefs is of test, testament is not.
function isOfSplit(path: string, words: readonly string[]): boolean {
  return path.toLowerCase().split(/[/._-]/).some((part) => words.includes(part));
}
