/** The loop: a user's own loss, the check of the first step, and steps that are not finite. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { dpoLoss } from "../../losses/dpo.ts";
import { modelParameters } from "../../models/families/mod.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { writeModelDirectory } from "../../models/files/write_directory.ts";
import { uploadWeights } from "../../models/weights.ts";
import { type LoopOptions, trainSteps } from "../../training/loop.ts";
import type { Metrics } from "../../training/metrics.ts";
import { loadWeights, type PreparedRun, type PrepareOptions, prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import {
  assertSame,
  type Changes,
  loopOptions,
  readSet,
  tinyConfig,
  tinyFiles,
  writeTinyModel,
} from "./tiny_run.ts";

const files = await tinyFiles();
const beta = 0.1;
const dpo = { type: "dpo", weight: 1, beta, labelSmoothing: 0 } as const;

async function prepare(changes: Changes = {}, options: PrepareOptions = {}): Promise<PreparedRun> {
  const run = await prepareRun(await testDevice(), tinyConfig(files, changes), options);
  await loadWeights(run);
  run.model.directory.close();
  return run;
}

async function train(run: PreparedRun, changes: Partial<LoopOptions> = {}): Promise<Metrics[]> {
  const rows: Metrics[] = [];
  for await (const event of trainSteps(run.engine, { ...loopOptions(run), ...changes })) {
    if (event.type === "metrics") rows.push(event.row);
  }
  return rows;
}

const policyOf = ({ engine }: PreparedRun) => readSet(engine.device, engine.sets.policy);

for (const accumulate of [1, 2]) {
  Deno.test(`a user's own DPO gives the metrics and weights of the configured one, accumulating ${accumulate}`, async () => {
    const changes = { training: { steps: 6, batchSize: 4 / accumulate, accumulate } };
    const configured = await prepare({ ...changes, loss: [dpo] });
    const own = await prepare(changes, { loss: (batch) => dpoLoss(batch, { beta }) });
    const [expected, actual] = [await train(configured), await train(own)];
    assertEquals(
      actual.map((row) => Object.keys(row).sort()),
      expected.map((row) => Object.keys(row).sort()),
    );
    for (const [i, row] of expected.entries()) {
      for (const [name, value] of Object.entries(row)) {
        if (name === "tokens_per_second") continue;
        assertAlmostEquals(
          actual[i]![name]!,
          value,
          1e-4 * Math.max(1, Math.abs(value)),
          `step ${i + 1} ${name}`,
        );
      }
    }
    const [a, b] = [await policyOf(own), await policyOf(configured)];
    // AdamW moves every weight by about the learning rate, 1e-3, however small its gradient.
    b.forEach((value, i) => assertAlmostEquals(a[i]!, value, 1e-4));
  });
}

Deno.test("the row's loss is what a user's own function says, also where that is not the mean of its losses", async () => {
  const run = await prepare({ training: { steps: 2 } }, {
    loss: (batch) => {
      const result = dpoLoss(batch, { beta });
      return { ...result, loss: 10 * result.loss };
    },
  });
  const rows = await train(run);
  assertAlmostEquals(rows[0]!.loss!, 10 * Math.LN2, 1e-6);
});

const firstLosses = [
  ["dpo", [dpo], Math.LN2],
  ["ipo over sums", [{ type: "ipo", weight: 1, beta, average: "sum" }], 25], // 1 / (4 β²)
  ["ipo over means", [{ type: "ipo", weight: 1, beta: 0.5, average: "mean" }], 1],
  ["kto_paired", [{ type: "kto_paired", weight: 1, beta, detach: true }], 0.5],
] as const;
for (const [name, loss, expected] of firstLosses) {
  Deno.test(`the first loss of ${name} is ${expected.toFixed(4)}`, async () => {
    const [row] = await train(await prepare({ loss, training: { steps: 1 } }));
    assertAlmostEquals(row!.loss!, expected, 1e-5 * expected);
  });
}

Deno.test("the first loss of kto, over pairs as labelled completions, is 0.5", async () => {
  const loss = [{ type: "kto", weight: 1, beta, desirableWeight: 1, undesirableWeight: 1 }] as const;
  const [row] = await train(await prepare({ loss, training: { steps: 1 } }));
  assertAlmostEquals(row!.loss!, 0.5, 1e-5);
  assertAlmostEquals(row!.z0!, 0, 1e-5);
});

for (
  const [name, loss] of [["dpo", [dpo]], ["ipo", [{ type: "ipo", weight: 1, beta, average: "sum" }]]] as const
) {
  Deno.test(`a reference that is not the policy stops ${name} at the first step`, async () => {
    const other = `${files.directory}/other_${name}`;
    await writeTinyModel(other, { seed: 9, tokenizer: files.model });
    const run = await prepare({ loss, reference: { update: "frozen", path: other } });
    const before = await policyOf(run);
    const { message } = await assertRejects(
      () => train(run, { sameStart: true }),
      Error,
      "The first loss is ",
    );
    assert(
      /it must be [\d.]+\. Log-probs differ most for the record on line \d+: -\d/.test(message),
      message,
    );
    // Steps after the first are under way when its loss is read, so the policy has moved; nothing was told of them.
    assert((await policyOf(run)).some((value, i) => value !== before[i]));
  });
}

Deno.test("a reference of its own is no mistake where it was asked for", async () => {
  const other = `${files.directory}/other`;
  await writeTinyModel(other, { seed: 9, tokenizer: files.model });
  const run = await prepare({ reference: { update: "frozen", path: other }, training: { steps: 2 } });
  const rows = await train(run);
  assertEquals(rows.length, 2);
  assert(Math.abs(rows[0]!["kl/reference"]!) > 1e-3);
});

/** Tokenized pairs of which only the one on line 3 has token 50, in a file. */
async function pairsWithOddOne(): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".jsonl" });
  const lines = Array.from({ length: 8 }, (_, i) => ({
    prompt_ids: [0, 10 + i, 12],
    chosen_ids: [20 + i, 30, i === 2 ? 50 : 31, 1],
    rejected_ids: [40 - i, 32, 1],
  }));
  await Deno.writeTextFile(path, lines.map((line) => JSON.stringify(line) + "\n").join(""));
  return path;
}

/** The tiny model with one number of the embedding of token 50 replaced. */
async function modelWith(value: number): Promise<string> {
  const path = `${files.directory}/broken_${value}`;
  using source = await openModelDirectory(files.model);
  const tensors = [...source.tensors].map(([name, { shape }]) => ({
    name,
    shape,
    async read(offset: number, count: number) {
      const values = await source.read(name);
      if (name === "model.embed_tokens.weight") values[50 * shape[1]!] = value;
      return values.slice(offset, offset + count);
    },
  }));
  await writeModelDirectory(path, {
    config: source.config,
    tensors,
    dtype: "F32",
    copyFrom: files.model,
    replace: true,
  });
  return path;
}

// Each step takes two pairs, or what they become, one record a micro-batch: the third pair is the broken one.
const onePerMicroBatch = { steps: 2, batchSize: 1, accumulate: 2, learningRate: 1e-2, warmup: 0 };
const losses: Record<string, { changes?: Changes; options?: PrepareOptions }> = {
  "dpo": {},
  "kto, whose z0 spreads it": {
    changes: {
      loss: [{ type: "kto", weight: 1, beta, desirableWeight: 1, undesirableWeight: 1 }],
      training: { ...onePerMicroBatch, accumulate: 4 },
    },
  },
  "kto_paired on the host": { changes: { loss: [{ type: "kto_paired", weight: 1, beta, detach: true }] } },
  "a user's own loss": { options: { loss: (batch) => dpoLoss(batch, { beta }) } },
};
for (const [name, { changes = {}, options = {} }] of Object.entries(losses)) {
  for (const value of [NaN, Infinity]) {
    Deno.test(`${value} in one embedding stops ${name} at that step and leaves policy and moments alone`, async () => {
      const run = await prepare({
        model: { path: await modelWith(value) },
        data: { train: [await pairsWithOddOne()], shuffle: false },
        training: onePerMicroBatch,
        ...changes,
      }, options);
      const { device, sets } = run.engine;
      const bits = async () => {
        const read: Uint32Array[] = [];
        for (const name of ["policy", "first", "second"] as const) {
          read.push(new Uint32Array((await readSet(device, sets[name])).buffer));
        }
        return read;
      };
      const rows: Metrics[] = [];
      let afterFirst: Uint32Array[] = [];
      const failing = async () => {
        for await (const event of trainSteps(run.engine, { ...loopOptions(run), pauseAfter: () => true })) {
          if (event.type === "metrics") rows.push(event.row);
          else afterFirst = await bits();
        }
      };
      await assertRejects(
        failing,
        Error,
        "Step 2: the loss is not finite for the record on line 3. The step was not applied.",
      );
      assertEquals(rows.map(({ step }) => step), [1]);
      assert(afterFirst.every((values) => values.some((word) => word !== 0)));
      (await bits()).forEach((words, i) =>
        assertSame(words, afterFirst[i]!, ["policy", "first", "second"][i]!)
      );
    });
  }
}

Deno.test("a user's own loss that fails is told after the steps before it", async () => {
  let calls = 0;
  const run = await prepare({ training: { steps: 6 } }, {
    loss: (batch) => {
      if (++calls === 3) throw new Error("my own mistake"); // before the first step was told of
      return dpoLoss(batch, { beta });
    },
  });
  const steps: number[] = [];
  await assertRejects(
    async () => {
      for await (const event of trainSteps(run.engine, loopOptions(run))) {
        if (event.type === "metrics") steps.push(event.row.step!);
      }
    },
    Error,
    "my own mistake",
  );
  assertEquals(steps, [1, 2]);
});

Deno.test("a gradient that overflows is named, and the step is not applied", async () => {
  const run = await prepare({
    loss: [{ ...dpo, beta: 1e25 }], // ln 2 at first, with a gradient whose square is beyond float32
    data: { train: [await pairsWithOddOne()], shuffle: false },
    training: { steps: 1, batchSize: 2 },
  });
  const before = await policyOf(run);
  await assertRejects(
    () => train(run),
    Error,
    "Step 1: the gradient is not finite (norm Infinity) though the losses of the records on lines 1, 2 are. " +
      "The step was not applied.",
  );
  assertSame(await policyOf(run), before, "policy");
  assert((await readSet(run.engine.device, run.engine.sets.first)).every((moment) => moment === 0));
});

Deno.test("weights that were tampered with on the way stop the run too", async () => {
  const run = await prepare();
  const { engine } = run;
  using directory = await openModelDirectory(files.model);
  const parameters = modelParameters(parseModelConfig(directory.config, { name: "tiny" }));
  await uploadWeights(engine.device, engine.sets.reference!, {
    parameters,
    async read(name, receive) {
      const values = await directory.read(name);
      receive(0, name === "model.norm.weight" ? values.map((value) => value * 1.01) : values);
    },
  });
  await assertRejects(
    () => train(run),
    Error,
    "this points to a mistake in the model's files or in this library",
  );
});

Deno.test("rows count the passes over the data, with the share of the one under way", async () => {
  const rows = await train(await prepare());
  assertEquals(rows.map(({ epoch }) => epoch), rows.map((_, i) => (i + 1) / 10)); // 4 of 40 pairs a step
});

for (
  const loss of [dpo, { type: "kto", weight: 1, beta, desirableWeight: 1, undesirableWeight: 1 }] as const
) {
  Deno.test(`a step of ${loss.type} is one submission, the reference's move included`, async () => {
    const run = await prepare({
      loss: [loss],
      reference: { update: "soft", alpha: 0.6, every: 1, path: null },
      training: { steps: 6 },
    });
    const { counters } = run.engine.device;
    const { submits } = counters;
    await train(run);
    assertEquals(counters.submits - submits, 6);
  });
}
