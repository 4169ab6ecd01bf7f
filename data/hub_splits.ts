/**
 * Which files of a data set's directory are which split, by the naming convention of the Hugging Face hub.
 *
 * @module
 */

/** Splits that have several names. */
const KEYWORDS: { readonly [split: string]: readonly string[] } = {
  train: ["train", "training"],
  validation: ["validation", "valid", "val", "dev"],
  test: ["test", "testing", "eval", "evaluation"],
};

/** `data/train_prefs-00000-of-00002.parquet`: any name before the shard's number is a split. */
const SHARD = /(?:^|\/)(\w+(?:\.\w+)*)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?\.[^/]+$/;

/**
 * Sorts a directory's files into splits: by the name before a shard's number, else by a keyword (`train`,
 * `training`; `validation`, `valid`, `val`, `dev`; `test`, `testing`, `eval`, `evaluation`) that stands
 * alone in the names of its directories or its own. What says nothing is `train`.
 *
 * @param paths the data files, relative to the directory
 * @returns the sorted paths of each split
 *
 * @example
 * ```ts
 * import { hubSplits } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const paths = ["data/test_prefs-00000-of-00001.parquet", "train.jsonl", "dev/a.jsonl"];
 * assertEquals(hubSplits(paths), {
 *   test_prefs: ["data/test_prefs-00000-of-00001.parquet"],
 *   validation: ["dev/a.jsonl"],
 *   train: ["train.jsonl"],
 * });
 * ```
 */
export function hubSplits(paths: readonly string[]): { [split: string]: string[] } {
  const splits: { [split: string]: string[] } = {};
  for (const path of paths.toSorted()) (splits[splitOf(path)] ??= []).push(path);
  return splits;
}

function splitOf(path: string): string {
  const shard = SHARD.exec(path)?.[1];
  if (shard !== undefined) return shard;
  for (const name of path.split("/")) {
    for (const word of name.split(/[^A-Za-z]+/)) {
      const split = canonical(word);
      if (split !== undefined) return split;
    }
  }
  return "train";
}

/** A split's files, also where it has another of its names: `dev` for `validation`. */
export function findSplit(splits: { [split: string]: string[] }, name: string): string[] | undefined {
  const same = Object.keys(splits).find((split) => canonical(split) === (canonical(name) ?? null));
  return splits[name] ?? (same === undefined ? undefined : splits[same]);
}

function canonical(word: string): string | undefined {
  return Object.keys(KEYWORDS).find((split) => KEYWORDS[split]!.includes(word.toLowerCase()));
}
