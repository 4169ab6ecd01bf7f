/** A step in four micro-batches of two records is the step in one batch of eight, however unequal the records' lengths. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { LossSettings, RunConfig } from "../../training/config.ts";
import { trainSteps } from "../../training/loop.ts";
import type { Metrics } from "../../training/metrics.ts";
import { loadWeights, prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { loopOptions, readSet, tinyConfig, tinyFiles, tinySftConfig, writeTinyModel } from "./tiny_run.ts";

const files = await tinyFiles();
const other = `${files.directory}/other`;
await writeTinyModel(other, { seed: 5, tokenizer: files.model }); // one that leaves z0 and z_chosen above 0

/** Eight records whose completions have from 1 to 57 tokens. */
async function unequalRecords(
  record: (ids: (count: number) => number[], i: number) => unknown,
): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".jsonl" });
  let next = 0;
  const ids = (count: number) => Array.from({ length: count }, () => 3 + (next = (next * 37 + 11) % 101));
  const lines = Array.from({ length: 8 }, (_, i) => JSON.stringify(record(ids, i)) + "\n");
  await Deno.writeTextFile(path, lines.join(""));
  return path;
}
const LENGTHS = [57, 1, 9, 2, 30, 3, 1, 44];
const pairs = await unequalRecords((ids, i) => ({
  prompt_ids: ids(1 + 2 * i),
  chosen_ids: ids(LENGTHS[i]!),
  rejected_ids: ids(LENGTHS[7 - i]! + 2),
  margin: 0.25 * i - 0.5,
}));
/** Pairs of one length, so that ranks under the reference are not those under the policy. */
const alike = await unequalRecords((ids, i) => ({
  prompt_ids: ids(1 + 2 * i),
  chosen_ids: ids(12),
  rejected_ids: ids(12),
}));
const labelled = await unequalRecords((ids, i) => ({
  prompt_ids: ids(1 + 2 * i),
  completion_ids: ids(LENGTHS[i]!),
  label: i % 3 !== 0,
}));
const demonstrations = await unequalRecords((ids, i) => ({
  prompt_ids: ids(1 + 2 * i),
  completion_ids: ids(LENGTHS[i]!),
}));

/** The metrics and the gradient of one step. */
async function oneStep(config: RunConfig): Promise<{ row: Metrics; gradient: Float32Array }> {
  const run = await prepareRun(await testDevice(), config);
  await loadWeights(run);
  run.model.directory.close();
  let row: Metrics | undefined;
  for await (const event of trainSteps(run.engine, loopOptions(run))) {
    if (event.type === "metrics") row = event.row;
  }
  return { row: row!, gradient: await readSet(run.engine.device, run.engine.sets.gradients) };
}

const norm = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));

const beta = 0.02;
const dpo: LossSettings = { type: "dpo", weight: 1, beta, labelSmoothing: 0 };
const preference = (train: string, ...loss: LossSettings[]) => (training: Partial<RunConfig["training"]>) =>
  tinyConfig(files, {
    data: { train: [train], maxLength: 96 },
    loss,
    reference: { update: "frozen", path: other },
    training,
  });
const cases: Record<string, (training: Partial<RunConfig["training"]>) => RunConfig> = {
  "dpo": preference(pairs, dpo),
  "ipo over sums": preference(pairs, { type: "ipo", weight: 1, beta, average: "sum" }),
  "ipo over means": preference(pairs, { type: "ipo", weight: 1, beta, average: "mean" }),
  "kto": preference(labelled, { type: "kto", weight: 1, beta, desirableWeight: 1, undesirableWeight: 1.5 }),
  "kto_paired": preference(pairs, { type: "kto_paired", weight: 1, beta, detach: true }),
  "kto_paired with gradient through z": preference(pairs, {
    type: "kto_paired",
    weight: 1,
    beta,
    detach: false,
  }),
  "dpo and half of sft": preference(pairs, dpo, { type: "sft", weight: 0.5 }),
  "aot": preference(alike, { type: "aot", weight: 1, beta: 0.2, labelSmoothing: 0.1 }),
  "aot_unpaired": preference(pairs, { type: "aot_unpaired", weight: 1, beta, labelSmoothing: 0 }),
  "simpo weighed by the policy": preference(pairs, { type: "simpo", weight: 1, beta, gamma: 1, wpo: true }),
  // Weights bring them to one order of magnitude, so that each would be missed.
  "the sum of all others over pairs": preference(
    pairs,
    { type: "robust", weight: 1, beta, labelSmoothing: 0.2 },
    { type: "exo_pair", weight: 1, beta, labelSmoothing: 0.2 },
    { type: "discopop", weight: 1, beta, tau: 0.5 },
    { type: "dpop", weight: 1, beta, lambda: 2 },
    { type: "cpo", weight: 0.1, beta, labelSmoothing: 0.1 },
    { type: "orpo", weight: 0.1, beta },
    { type: "rpo", weight: 0.1, beta, labelSmoothing: 0, alpha: 0.5 },
    { type: "mpo", weight: 0.1, beta },
    { type: "sppo_hard", weight: 1e-3, beta },
    { type: "cal_dpo", weight: 1e-3, beta },
    ...(["hinge", "nca_pair", "bco_pair", "apo_zero", "apo_down", "sigmoid_norm", "margin"] as const)
      .map((type) => ({ type, weight: 1, beta })),
    { type: "bco_pair", weight: 1, beta, divergence: "jensen_shannon" },
  ),
  "dpo desensitized to length": preference(pairs, { ...dpo, ldAlpha: 0.25 }),
  "aot and dpo weighed by the policy": preference(
    alike,
    { type: "aot", weight: 1, beta: 0.2, labelSmoothing: 0 },
    { ...dpo, wpo: true },
  ),
  "kto_paired desensitized to length and weighed by the policy": preference(pairs, {
    type: "kto_paired",
    weight: 1,
    beta,
    detach: false,
    ldAlpha: 0.25,
    wpo: true,
  }),
  "hypo of length-normalized margins": preference(pairs, {
    type: "margin",
    weight: 1,
    beta: 2,
    hypo: true,
    normalizeLengths: true,
  }),
  "fine-tuning": (training) =>
    tinySftConfig(files, { data: { train: [demonstrations], maxLength: 96 }, training }),
};

for (const [name, configure] of Object.entries(cases)) {
  Deno.test(`${name}: four micro-batches of two have the loss and gradient of one batch of eight`, async () => {
    const training = { steps: 1, maxGradNorm: null };
    const whole = await oneStep(configure({ ...training, batchSize: 8, accumulate: 1 }));
    const parts = await oneStep(configure({ ...training, batchSize: 2, accumulate: 4 }));
    const size = norm(whole.gradient);
    const difference = norm(whole.gradient.map((value, i) => value - parts.gradient[i]!)) / size;
    assert(size > 1e-4);
    assert(difference < 1e-5, `the gradients differ by ${difference} of their norm`);
    assertAlmostEquals(whole.row.grad_norm!, size, 1e-5 * size);
    assertEquals(Object.keys(parts.row).sort(), Object.keys(whole.row).sort());
    for (const [key, value] of Object.entries(whole.row)) {
      if (key === "tokens_per_second") continue;
      assertAlmostEquals(parts.row[key]!, value, 1e-5 * Math.max(1, Math.abs(value)), key);
    }
    // Else the statistics of the batch would not be put to the test.
    for (const key of ["z0", "z_chosen"]) {
      if (key in whole.row) assert(whole.row[key]! > 0.1, `${key} is ${whole.row[key]}`);
    }
  });
}

Deno.test("the loss of fine-tuning is the mean over all tokens of the step, not over records or micro-batches", async () => {
  const { row } = await oneStep(
    cases["fine-tuning"]!({ steps: 1, maxGradNorm: null, batchSize: 2, accumulate: 4 }),
  );
  assertEquals(row["length/chosen"], LENGTHS.reduce((sum, length) => sum + length) / 8);
  assertAlmostEquals(row.loss!, -row["logps/chosen"]! / row["length/chosen"]!, 1e-5);
});

Deno.test("micro-batches are one record each where the batch size is 1, for kto too", async () => {
  const whole = await oneStep(cases.kto!({ steps: 1, maxGradNorm: null, batchSize: 8, accumulate: 1 }));
  const parts = await oneStep(cases.kto!({ steps: 1, maxGradNorm: null, batchSize: 1, accumulate: 8 }));
  const difference = norm(whole.gradient.map((value, i) => value - parts.gradient[i]!)) /
    norm(whole.gradient);
  assert(difference < 1e-5, `the gradients differ by ${difference} of their norm`);
  assertAlmostEquals(parts.row.z0!, whole.row.z0!, 1e-4);
});
