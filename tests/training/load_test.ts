import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { loadModel, loadRecords, type RunRecords } from "../../training/load.ts";
import { prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { tinyConfig, tinyFiles, tinySftConfig, writeTinyModel } from "./tiny_run.ts";

const files = await tinyFiles();
const { tokenizer, directory } = await loadModel(files.model);
directory.close();

const pair = { prompt_ids: [5, 6], chosen_ids: [7, 8], rejected_ids: [9] };
const labelled = { prompt_ids: [5, 6], completion_ids: [7, 8], label: false };
const demonstration = { prompt_ids: [5, 6], completion_ids: [7, 8] };

/** Loads files that hold these records. */
async function load(wanted: RunRecords, ...contents: unknown[][]) {
  const paths: string[] = [];
  for (const records of contents) {
    const path = await Deno.makeTempFile({ suffix: ".jsonl" });
    await Deno.writeTextFile(path, records.map((record) => JSON.stringify(record) + "\n").join(""));
    paths.push(path);
  }
  const { data } = tinyConfig(files);
  return {
    paths,
    load: (changes = {}) => loadRecords(paths, { wanted, tokenizer, data: { ...data, ...changes } }),
  };
}

const plain = (examples: Awaited<ReturnType<typeof loadRecords>>["examples"]) =>
  examples.map(({ line, label, prompt, completions }) => ({
    line,
    label,
    prompt: Array.from(prompt),
    completions: completions.map((ids) => Array.from(ids)),
  }));

Deno.test("loadRecords keeps margins, and names the first pair without one where the loss reads them", async () => {
  const { load: read, paths } = await load("pairs", [{ ...pair, margin: 0.5 }, { ...pair, margin: "large" }]);
  assertEquals((await read()).examples.map(({ margin }) => margin), [0.5, undefined]);
  const { data } = tinyConfig(files);
  await assertRejects(
    () => loadRecords(paths, { wanted: "pairs", needsMargins: "margin", tokenizer, data }),
    Error,
    `${paths[0]}:2: the record has no number under "margin", which the margin loss reads; give each pair one`,
  );
});

Deno.test("loadRecords takes pairs as pairs", async () => {
  const { load: read } = await load("pairs", [pair]);
  assertEquals(plain((await read()).examples), [
    { line: 1, label: 1, prompt: [5, 6], completions: [[7, 8], [9]] },
  ]);
});

Deno.test("loadRecords makes of pairs desirable and undesirable completions, the sides of a pair apart", async () => {
  const { load: read } = await load("labelled completions", [pair, pair, pair, pair]);
  const examples = plain((await read()).examples);
  assertEquals(examples.slice(0, 2), [
    { line: 1, label: 1, prompt: [5, 6], completions: [[7, 8]] },
    { line: 3, label: 0, prompt: [5, 6], completions: [[9]] },
  ]);
  // Each completion follows one of another record, as KTO's mismatched sequences need it.
  const lines = examples.map(({ line }) => line);
  assertEquals(lines, [1, 3, 2, 4, 3, 1, 4, 2]);
  assertEquals(lines.filter((line, i) => line === lines.at(i - 1)), []);
});

Deno.test("loadRecords makes of a pair a demonstration of its chosen completion", async () => {
  const { load: read } = await load("demonstrations", [pair]);
  assertEquals(plain((await read()).examples), [
    { line: 1, label: 1, prompt: [5, 6], completions: [[7, 8]] },
  ]);
});

Deno.test("loadRecords keeps labels, and reads several files in order, each with its kind", async () => {
  const { load: read } = await load("labelled completions", [labelled], [pair]);
  assertEquals(plain((await read()).examples).map(({ label, completions }) => [label, completions[0]]), [
    [0, [7, 8]],
    [1, [7, 8]],
    [0, [9]],
  ]);
});

Deno.test("loadRecords for a score takes any kind", async () => {
  const { load: read } = await load("any", [pair], [labelled], [demonstration]);
  assertEquals(plain((await read()).examples).map(({ completions }) => completions.length), [2, 1, 1]);
});

Deno.test("loadRecords refuses two kinds in one file and names the line", async () => {
  const { paths, load: read } = await load("any", [pair, pair, demonstration]);
  await assertRejects(
    read,
    Error,
    `${paths[0]}:3: a file holds one kind of record; those before this one are pairs`,
  );
});

const wrong: [RunRecords, unknown, string][] = [
  ["pairs", labelled, "labelled completions"],
  ["pairs", demonstration, "demonstrations"],
  ["labelled completions", demonstration, "demonstrations"],
  ["demonstrations", labelled, "labelled completions"],
];
for (const [wanted, record, given] of wrong) {
  Deno.test(`loadRecords refuses ${given} where ${wanted} are wanted`, async () => {
    const { paths, load: read } = await load(wanted, [record]);
    const { message } = await assertRejects(read, Error, `${paths[0]}: the records are ${given}`);
    assertMatch(message, new RegExp(`needs ${wanted}`));
  });
}

Deno.test("loadRecords counts what it leaves out and what it cuts", async () => {
  const bad = { prompt: "What?" };
  const same = { ...pair, rejected_ids: pair.chosen_ids };
  const long = { ...pair, prompt_ids: Array.from({ length: 30 }, () => 5) };
  const { paths, load: read } = await load("pairs", [bad, same, pair, long]);
  await assertRejects(read, Error, `${paths[0]}:1: `);
  const { examples, dropped, droppedCount, truncated } = await read({ invalid: "skip", maxLength: 8 });
  assertEquals(examples.map(({ line }) => line), [3, 4]);
  assertEquals(droppedCount, 2);
  assertEquals(dropped.split("\n"), [
    "1 record dropped, invalid record: line 1",
    "1 record dropped, chosen equals rejected: line 2",
  ]);
  assertEquals(truncated, { prompt: 1, completion: 0 });
});

Deno.test("loadRecords refuses files of which no record is left", async () => {
  const cutEqual = { prompt_ids: [5], chosen_ids: [7, 8], rejected_ids: [7, 9] };
  const { paths, load: read } = await load("pairs", [cutEqual]);
  await assertRejects(() => read({ maxLength: 2 }), Error, paths[0]);
});

Deno.test("loadModel refuses a tokenizer with more tokens than the model has embeddings", async () => {
  const path = `${files.directory}/small`;
  await writeTinyModel(path, { seed: 0, tokenizer: files.model, change: { vocab_size: 100 } });
  await assertRejects(
    () => loadModel(path),
    Error,
    `${path}: the tokenizer has ids up to ${
      tokenizer.vocabularySize - 1
    }, but vocab_size in config.json is 100`,
  );
});

Deno.test("loadModel takes a model with more embeddings than tokens", async () => {
  const path = `${files.directory}/padded`;
  await writeTinyModel(path, { seed: 0, tokenizer: files.model, change: { vocab_size: 512 } });
  const model = await loadModel(path);
  model.directory.close();
  assert(model.tokenizer.vocabularySize < model.config.vocabularySize);
});

Deno.test("loadModel names a template that can't be read", async () => {
  const template = `${files.directory}/absent.jinja`;
  await assertRejects(
    () => loadModel(files.model, { template }),
    Error,
    `data.template: cannot read ${template}: `,
  );
});

Deno.test("prepareRun refuses a max_length beyond the model's positions", async () => {
  await assertRejects(
    async () => await prepareRun(await testDevice(), tinyConfig(files, { data: { maxLength: 129 } })),
    Error,
    `data.max_length is 129, but ${files.model} reads at most 128 tokens (max_position_embeddings)`,
  );
});

Deno.test("prepareRun refuses a run that takes more memory than it may, in bytes", async () => {
  await assertRejects(
    async () =>
      await prepareRun(await testDevice(), tinyConfig(files, { training: { memoryLimit: 10_000 } })),
    RangeError,
    "more than the limit of 10000 bytes",
  );
});

Deno.test("prepareRun allocates no reference for fine-tuning, and an initial one only where the reference moves", async () => {
  const sets = async (config: Parameters<typeof prepareRun>[1]) => {
    const { engine, model } = await prepareRun(await testDevice(), config);
    model.directory.close();
    return [engine.sets.reference !== null, engine.sets.initial !== null];
  };
  assertEquals(await sets(tinySftConfig(files)), [false, false]);
  assertEquals(await sets(tinyConfig(files)), [true, false]);
  const reference = { update: "hard", every: 3, path: null } as const;
  assertEquals(await sets(tinyConfig(files, { reference })), [true, true]);
});

Deno.test("prepareRun uses as many held-out records as it may", async () => {
  const data = { eval: files.heldOut, evalRecords: 5 };
  const { heldOut, model } = await prepareRun(await testDevice(), tinyConfig(files, { data }));
  model.directory.close();
  assertEquals([heldOut!.examples.length, heldOut!.tokenized.length], [5, 5]);
});
