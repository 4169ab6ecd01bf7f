import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { loadModel } from "../../training/load.ts";
import { loadRecords, loadRunRecords, type RunRecords } from "../../training/load_records.ts";
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
  [...examples].map(({ line, label, prompt, completions }) => ({
    line,
    label,
    prompt: Array.from(prompt),
    completions: completions.map((ids) => Array.from(ids)),
  }));

Deno.test("loadRecords keeps margins, and names the first pair without one where the loss reads them", async () => {
  const { load: read, paths } = await load("pairs", [{ ...pair, margin: 0.5 }, { ...pair, margin: "large" }]);
  assertEquals([...(await read()).examples].map(({ margin }) => margin), [0.5, undefined]);
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
  assertEquals([...examples].map(({ line }) => line), [3, 4]);
  assertEquals(droppedCount, 2);
  assertEquals(dropped.split("\n"), [
    "1 record dropped, invalid record: line 1",
    "1 record dropped, chosen equals rejected: line 2",
  ]);
  assertEquals(truncated, { prompt: 1, completion: 0 });
});

Deno.test("loadRecords names the file of each example and of what it drops where there are several", async () => {
  const same = { ...pair, rejected_ids: pair.chosen_ids };
  const { paths, load: read } = await load("pairs", [pair], [same, pair]);
  const { examples, dropped, files } = await read();
  assertEquals([...examples].map(({ file, line }) => [file, line]), [[paths[0], 1], [paths[1], 2]]);
  assertEquals(dropped, `${paths[1]}: 1 record dropped, chosen equals rejected: line 1`);
  assertEquals(files.map(({ file, count }) => [file, count]), [[paths[0], 1], [paths[1], 1]]);
  const alone = await load("pairs", [pair]);
  assertEquals("file" in (await alone.load()).examples.at(0)!, false);
});

Deno.test("loadRecords gives examples' lengths without their tokens, and none beyond the last", async () => {
  const { load: read } = await load("labelled completions", [labelled], [pair, { ...pair, prompt_ids: [5] }]);
  const { examples } = await read();
  const lengths = (
    { prompt, completions }: { prompt: { length: number }; completions: readonly { length: number }[] },
  ) => [
    prompt.length,
    ...completions.map(({ length }) => length),
  ];
  assertEquals(examples.length, 5);
  for (const [i, example] of [...examples].entries()) {
    assertEquals(lengths(examples.sizes!(i)), lengths(example));
    assertEquals(examples.at(i), example);
  }
  assertEquals([examples.at(5), examples.at(-1)], [undefined, undefined]);
});

Deno.test("loadRecords makes a mixture of sources with weights, counted in examples", async () => {
  const { paths } = await load("labelled completions", [labelled], [pair, pair]);
  const [first, second] = paths as [string, string];
  const { data } = tinyConfig(files);
  const read = (weights: [number, number]) =>
    loadRecords([{ path: first, weight: weights[0] }, { path: second, weight: weights[1] }], {
      wanted: "labelled completions",
      tokenizer,
      data,
    });
  assertEquals((await read([1, 3])).mixture, [
    { start: 0, count: 1, weight: 1 },
    { start: 1, count: 4, weight: 3 },
  ]);
  await assertRejects(() => read([1, 1e-3]), Error, "source 2 has weight 0.001 of 1.001");
});

/** Pairs with `count` prompts, each twice. */
const repeated = (count: number) =>
  Array.from(
    { length: 2 * count },
    (_, i) => ({ ...pair, prompt_ids: [5, i % count], rejected_ids: [9 + i] }),
  );

async function heldOutOf(
  records: unknown[],
  { share = 0.2, seed = 1, evalRecords = null as number | null } = {},
) {
  const { paths } = await load("pairs", records);
  const { data } = tinyConfig(files);
  const loaded = await loadRunRecords({ ...data, train: paths, eval: share, evalRecords }, {
    wanted: "pairs",
    tokenizer,
    seed,
  });
  const lines = (examples: Iterable<{ line: number }>) => [...examples].map(({ line }) => line);
  return { ...loaded, train: lines(loaded.records.examples), held: lines(loaded.heldOut!.examples) };
}

Deno.test("loadRunRecords holds out a share by seed, with all records of a prompt", async () => {
  const { train, held } = await heldOutOf(repeated(50));
  assertEquals(held.length, 20);
  assertEquals([...train, ...held].toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i + 1));
  const prompts = (lines: number[]) => new Set(lines.map((line) => (line - 1) % 50));
  assertEquals(prompts(held).size, 10);
  assertEquals(prompts(held).intersection(prompts(train)).size, 0);
  assertEquals((await heldOutOf(repeated(50))).held, held);
  assertNotEquals((await heldOutOf(repeated(50), { seed: 2 })).held, held);
});

Deno.test("loadRunRecords holds out the same records in whatever order, and as many as eval_records says", async () => {
  const { held } = await heldOutOf(repeated(50));
  const reversed = await heldOutOf(repeated(50).toReversed());
  assertEquals(reversed.held.map((line) => 101 - line).toSorted((a, b) => a - b), held);
  assertEquals((await heldOutOf(repeated(50), { evalRecords: 3 })).held, held.slice(0, 3));
});

Deno.test("loadRunRecords holds out pairs whole where a loss takes each as two examples", async () => {
  const { paths } = await load("labelled completions", repeated(10));
  const { data } = tinyConfig(files);
  const { records, heldOut } = await loadRunRecords({ ...data, train: paths, eval: 0.1 }, {
    wanted: "labelled completions",
    tokenizer,
    seed: 1,
  });
  assertEquals([records.examples.length, heldOut!.examples.length], [36, 4]);
  const lines = [...heldOut!.examples].map(({ line }) => line);
  assertEquals(new Set(lines).size, 2);
});

Deno.test("loadRunRecords mixes what is trained on, not what is held out", async () => {
  const { paths } = await load("pairs", repeated(20), [{ ...pair, prompt_ids: [6, 6] }]);
  const { data } = tinyConfig(files);
  const train = paths.map((path) => ({ path, weight: 1 }));
  const options = { wanted: "pairs", tokenizer, seed: 0 } as const;
  const { records, heldOut } = await loadRunRecords({ ...data, train, eval: 0.05 }, options);
  assertEquals(heldOut!.mixture, null);
  assertEquals(records.mixture!.map(({ count }) => count), [38, 1]);
});

Deno.test("loadRunRecords goes by the completions where there is no prompt", async () => {
  const texts = Array.from({ length: 10 }, (_, i) => ({ prompt_ids: [5], completion_ids: [i + 5, 6] }));
  const { paths } = await load("demonstrations", texts);
  const { data } = tinyConfig(files);
  const options = { wanted: "demonstrations", tokenizer, seed: 0 } as const;
  const { heldOut } = await loadRunRecords({ ...data, train: paths, eval: 0.3 }, options);
  assertEquals(heldOut!.examples.length, 3);
});

Deno.test("loadRunRecords refuses a share that takes everything", async () => {
  await assertRejects(
    () => heldOutOf([{ ...pair, prompt_ids: [5, 6] }, { ...pair, prompt_ids: [5, 6], rejected_ids: [10] }]),
    Error,
    "data.eval 0.2 would hold out all 2 records, because they have too few different prompts",
  );
});

Deno.test("loadRunRecords refuses a dataset_info of which it would use nothing", async () => {
  const { paths } = await load("pairs", [pair]);
  const datasetInfo = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(datasetInfo, '{"mine": {"file_name": "x.json"}}');
  const { data } = tinyConfig(files);
  await assertRejects(
    () => loadRunRecords({ ...data, train: paths, datasetInfo }, { wanted: "pairs", tokenizer, seed: 0 }),
    Error,
    `data.dataset_info: ${datasetInfo} would be ignored, for no source is one of its names`,
  );
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
