import { assertEquals, assertThrows } from "@std/assert";
import { chooseDataFiles, type DataPurpose, HubError } from "../../hub/mod.ts";

const options = { extensions: [".jsonl", ".jsonl.gz", ".json"], name: "o/n" };

Deno.test("chooseDataFiles takes the files whose names say what is wanted", () => {
  const cases: [string[], DataPurpose, string[]][] = [
    [["train.jsonl", "test.jsonl"], "train", ["train.jsonl"]],
    [["train.jsonl", "test.jsonl", "validation.jsonl"], "eval", ["validation.jsonl"]],
    [["data/train_prefs.jsonl", "data/test_prefs.jsonl"], "eval", ["data/test_prefs.jsonl"]],
    [["train/a-00001-of-00002.jsonl", "train/a-00000-of-00002.jsonl", "dev/a.jsonl"], "train", [
      "train/a-00000-of-00002.jsonl",
      "train/a-00001-of-00002.jsonl",
    ]],
    [["README.md", "dataset_infos.json", "pairs.jsonl.gz"], "train", ["pairs.jsonl.gz"]],
    [["pairs.jsonl"], "any", ["pairs.jsonl"]],
  ];
  for (const [paths, purpose, expected] of cases) {
    assertEquals(chooseDataFiles(paths, { ...options, purpose }), expected);
  }
});

Deno.test("chooseDataFiles does not guess", () => {
  const cases: [string[], DataPurpose, string][] = [
    [
      ["train.csv"],
      "train",
      "it holds no file that ends in .jsonl, .jsonl.gz, .json; its files are train.csv",
    ],
    [
      ["a/train.jsonl", "b/train.jsonl"],
      "train",
      "several files may hold the training records (a/train.jsonl, b/train.jsonl); name the file, as in " +
      "hf://datasets/o/n/a/train.jsonl",
    ],
    [["pairs.jsonl"], "eval", "no file name says that it holds held-out records (pairs.jsonl)"],
    [["train.jsonl", "testament.jsonl"], "eval", "no file name says"],
    [["train.jsonl", "test.jsonl"], "any", "several files may hold the records (train.jsonl, test.jsonl)"],
  ];
  for (const [paths, purpose, message] of cases) {
    assertThrows(() => chooseDataFiles(paths, { ...options, purpose }), HubError, message);
  }
});
