import { hubSplits, resolveSources } from "@tr/align/data";
import { assertEquals, assertRejects } from "@std/assert";

/** A directory with empty files of these names, and what is written of some. */
async function directoryOf(files: Record<string, string>): Promise<string> {
  const root = await Deno.makeTempDir();
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(`${root}/${name}`.replace(/\/[^/]+$/, ""), { recursive: true });
    await Deno.writeTextFile(`${root}/${name}`, text);
  }
  return root;
}

// The hub's documentation of file names and splits gives these names, and says which are equivalent.
Deno.test("hubSplits sorts files as the hub does", () => {
  const splits: [string, string][] = [
    ["data.jsonl", "train"],
    ["train.jsonl", "train"],
    ["my_train_file_1.jsonl", "train"],
    ["test-file.jsonl", "test"],
    ["testfile.jsonl", "train"],
    ["training/a.jsonl", "train"],
    ["data/dev/a.jsonl", "validation"],
    ["val.json", "validation"],
    ["valid.json", "validation"],
    ["validation-00000-of-00001-9b1d2c3.parquet", "validation"],
    ["eval.jsonl.gz", "test"],
    ["evaluation.jsonl", "test"],
    ["TEST.jsonl", "test"],
    ["data/train-00001-of-00002.parquet", "train"],
    ["data/test_prefs-00000-of-00001.parquet", "test_prefs"],
    ["data/dev-00000-of-00001.parquet", "dev"],
    ["data/train_sft-00000-of-00003.parquet", "train_sft"],
  ];
  for (const [path, split] of splits) assertEquals(hubSplits([path]), { [split]: [path] });
});

Deno.test("resolveSources takes a split's files of a directory in order, and no others", async () => {
  const root = await directoryOf({
    "README.md": "",
    ".gitattributes": "",
    ".cache/huggingface/train.jsonl": "",
    "dataset_infos.json": "",
    "data/train-00001-of-00002.parquet": "",
    "data/train-00000-of-00002.parquet": "",
    "data/test-00000-of-00001.parquet": "",
  });
  const [source] = await resolveSources([root]);
  assertEquals(source, {
    name: root,
    files: [0, 1].map((i) => `${root}/data/train-0000${i}-of-00002.parquet`),
    layout: null,
    weight: null,
    isListed: false,
  });
  const filesOf = async (entry: Parameters<typeof resolveSources>[0][number], splits = ["train"]) =>
    (await resolveSources([entry], { splits }))[0]!.files.map((file) => file.slice(root.length + 1));
  const test = ["data/test-00000-of-00001.parquet"];
  assertEquals(await filesOf({ path: `${root}/`, split: "test" }), test);
  assertEquals(await filesOf({ path: root, split: "eval" }), test);
  assertEquals(await filesOf(root, ["validation", "test"]), test);
  const dev = await directoryOf({ "dev-00000-of-00001.jsonl": "", "other_sft-00000-of-00001.jsonl": "" });
  assertEquals(
    (await resolveSources([dev], { splits: ["validation", "test"] }))[0]!.files,
    [`${dev}/dev-00000-of-00001.jsonl`],
  );
});

Deno.test("resolveSources says what a directory has where it can't take it", async () => {
  const prefs = await directoryOf({ "data/train_prefs-00000-of-00001.parquet": "" });
  await assertRejects(
    () => resolveSources([prefs]),
    Error,
    `${prefs}: there is no split train; it has train_prefs: name one with { path: ${prefs}, split: train_prefs }`,
  );
  const subsets = await directoryOf({ "en/train.jsonl": "", "de/train.jsonl": "" });
  await assertRejects(
    () => resolveSources([subsets]),
    Error,
    `${subsets}: split train is in several directories (de, en), which may be several data sets`,
  );
  const csv = await directoryOf({ "train.csv": "" });
  await assertRejects(() => resolveSources([csv]), Error, `${csv}: no file of records in this directory`);
  await assertRejects(
    () => resolveSources([{ path: `${csv}/train.csv`, split: "test" }]),
    Error,
    "split test would be ignored, for this is no directory",
  );
});

Deno.test("resolveSources finds names in dataset_info.json beside that file, and paths too", async () => {
  const info = {
    mine: { file_name: "sub/mine.json" },
    hub: { file_name: "folder", split: "test", formatting: "sharegpt" },
    away: { file_name: "/somewhere/else.json" },
  };
  const root = await directoryOf({
    "dataset_info.json": JSON.stringify(info),
    "sub/mine.json": "",
    "folder/test.jsonl": "",
    "folder/train.jsonl": "",
    "own.jsonl": "",
  });
  const datasetInfo = `${root}/dataset_info.json`;
  const sources = await resolveSources(
    [{ path: "mine", weight: 2 }, "hub", "away", `${root}/own.jsonl`],
    { datasetInfo },
  );
  assertEquals(
    sources.map(({ files, layout, weight, isListed }) => [files, layout?.formatting, weight, isListed]),
    [
      [[`${root}/sub/mine.json`], "alpaca", 2, true],
      [[`${root}/folder/test.jsonl`], "sharegpt", null, true],
      [["/somewhere/else.json"], "alpaca", null, true],
      [[`${root}/own.jsonl`], undefined, null, false],
    ],
  );
  await assertRejects(
    () => resolveSources(["mein"], { datasetInfo }),
    Error,
    `${datasetInfo}: there is no data set "mein"; it has "mine", "hub", "away"`,
  );
  await Deno.writeTextFile(datasetInfo, "{");
  await assertRejects(
    () => resolveSources(["mine"], { datasetInfo }),
    Error,
    `${datasetInfo}: malformed JSON: `,
  );
  await assertRejects(
    () => resolveSources(["mine"], { datasetInfo: `${root}/no.json` }),
    Error,
    "no.json: no such file",
  );
});
