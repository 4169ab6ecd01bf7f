import { assert, assertEquals, assertRejects } from "@std/assert";
import { uploadWeights } from "../../models/weights.ts";
import {
  listCheckpoints,
  loadCheckpoint,
  readCheckpointHeader,
  removePartial,
  saveCheckpoint,
} from "../../training/checkpoint.ts";
import type { Engine } from "../../training/engine.ts";
import { startOfRun } from "../../training/loop_options.ts";
import { loadWeights, type PreparedRun, prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { assertSame, readSet, tinyConfig, tinyFiles, writeTinyModel } from "./tiny_run.ts";

const files = await tinyFiles();
const SETS = ["policy", "reference", "initial", "first", "second"] as const;
const reference = { update: "soft", alpha: 0.6, every: 2, path: null } as const;

async function prepare(changes = {}): Promise<PreparedRun> {
  const run = await prepareRun(await testDevice(), tinyConfig(files, { reference, ...changes }));
  run.model.directory.close();
  return run;
}

/** Fills every set of an engine with numbers of its own, among them ones that text would not keep. */
async function fill({ engine, parameters }: PreparedRun): Promise<void> {
  for (const [index, name] of SETS.entries()) {
    let count = 0;
    await uploadWeights(engine.device, engine.sets[name]!, {
      parameters,
      read(tensor, receive) {
        const [rows, columns = 1] = parameters.flatMap(({ parts }) => parts).find(({ name }) =>
          name === tensor
        )!
          .shape as [number, number?];
        const values = Float32Array.from(
          { length: rows * columns },
          () => Math.sin(++count) * 10 ** (index * 9 - 30),
        );
        values[0] = 1e-42; // below the normal numbers
        values[1] = -0;
        receive(0, values);
        return Promise.resolve();
      },
    });
  }
}

async function contents(engine: Engine): Promise<Uint32Array[]> {
  const sets: Uint32Array[] = [];
  for (const name of SETS) {
    sets.push(new Uint32Array((await readSet(engine.device, engine.sets[name])).buffer));
  }
  return sets;
}

const header = (step: number) => ({
  state: {
    ...startOfRun(),
    step,
    position: { epoch: 3, offset: 17 },
    referenceUpdates: 2,
    optimizerSteps: step,
  },
  identity: { training: { seed: 1 }, list: [1, null, "ä"] },
});

/** A checkpoint of step 42 in a new directory. */
async function savedCheckpoint() {
  const run = await prepare();
  await fill(run);
  const directory = `${await Deno.makeTempDir()}/checkpoints`;
  await saveCheckpoint(run.engine, directory, { ...header(42), keep: 2 });
  return { run, directory, path: `${directory}/step-000042` };
}

Deno.test("a checkpoint brings back every set bit for bit, and the counters", async () => {
  const { run, path } = await savedCheckpoint();
  const other = await prepare();
  const before = await contents(run.engine);
  for (const [i, values] of before.entries()) {
    assert(values.some((bits) => bits !== 0), SETS[i]);
    for (const another of before.slice(0, i)) assert(values.some((bits, j) => bits !== another[j]), SETS[i]);
  }
  await loadCheckpoint(other.engine, path);
  (await contents(other.engine)).forEach((values, i) => assertSame(values, before[i]!, SETS[i]!));
  assertEquals(await readCheckpointHeader(path), header(42));
});

Deno.test("saveCheckpoint keeps the newest, beyond six digits too", async () => {
  const { engine } = await prepare();
  const directory = await Deno.makeTempDir();
  for (const name of ["step-000005", "step-000010", "step-999999"]) await Deno.mkdir(`${directory}/${name}`);
  await saveCheckpoint(engine, directory, { ...header(1_000_000), keep: 2 });
  assertEquals(await listCheckpoints(directory), ["step-999999", "step-1000000"]);
  await saveCheckpoint(engine, directory, { ...header(1_000_001), keep: 1 });
  assertEquals(await listCheckpoints(directory), ["step-1000001"]);
});

Deno.test("listCheckpoints sees neither half-written ones nor other things", async () => {
  const directory = await Deno.makeTempDir();
  for (const name of ["step-000010", "step-000005", "step-000015.partial-0a1b2c3d", "old"]) {
    await Deno.mkdir(`${directory}/${name}`);
  }
  assertEquals(await listCheckpoints(directory), ["step-000005", "step-000010"]);
  assertEquals(await listCheckpoints(`${directory}/absent`), []);
});

Deno.test("removePartial removes what was half written and nothing else", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.mkdir(`${directory}/step-000010`);
  await Deno.mkdir(`${directory}/step-000015.partial-0a1b2c3d`);
  await Deno.writeTextFile(`${directory}/step-000015.partial-0a1b2c3d/config.json`, "{");
  await removePartial(directory);
  assertEquals((await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name), ["step-000010"]);
  await removePartial(`${directory}/absent`);
});

Deno.test("readCheckpointHeader refuses a model and an empty directory", async () => {
  await assertRejects(
    () => readCheckpointHeader(files.model),
    Error,
    `${files.model}: this is not a checkpoint of a run`,
  );
  const empty = await Deno.makeTempDir();
  await assertRejects(
    () => readCheckpointHeader(empty),
    Error,
    `${empty}/config.json: there is no such file`,
  );
});

Deno.test("a checkpoint whose file is cut short is refused", async () => {
  const { run, path } = await savedCheckpoint();
  const weights = `${path}/model.safetensors`;
  await Deno.truncate(weights, (await Deno.stat(weights)).size - 4);
  for (const read of [() => readCheckpointHeader(path), () => loadCheckpoint(run.engine, path)]) {
    await assertRejects(read, Error, weights);
  }
});

Deno.test("loadCheckpoint refuses a checkpoint of a run without a moving reference for one with", async () => {
  const frozen = await prepare({ reference: { update: "frozen", path: null } });
  const directory = await Deno.makeTempDir();
  await saveCheckpoint(frozen.engine, directory, { ...header(1), keep: 1 });
  const moving = await prepare();
  await assertRejects(
    () => loadCheckpoint(moving.engine, `${directory}/step-000001`),
    Error,
    "step-000001: initial/model.embed_tokens.weight is missing and this run wants [",
  );
});

Deno.test("loadCheckpoint refuses tensors of another size", async () => {
  const { path } = await savedCheckpoint();
  const model = `${files.directory}/wider`;
  await writeTinyModel(model, { seed: 0, tokenizer: files.model, change: { intermediate_size: 96 } });
  const wider = await prepare({ model: { path: model } });
  const before = await contents(wider.engine);
  await assertRejects(
    () => loadCheckpoint(wider.engine, path),
    Error,
    `${path}: policy/model.layers.0.mlp.gate_proj.weight is [64, 32] and this run wants [96, 32]`,
  );
  (await contents(wider.engine)).forEach((values, i) => assertSame(values, before[i]!, SETS[i]!));
});

Deno.test("loadWeights makes policy, reference and initial reference the same numbers", async () => {
  const run = await prepareRun(await testDevice(), tinyConfig(files, { reference }));
  await loadWeights(run);
  run.model.directory.close();
  const [policy, ...others] = await contents(run.engine);
  others.slice(0, 2).forEach((values, i) => assertSame(values, policy!, SETS[i + 1]!));
  assert(others.slice(2).every((moments) => moments.every((bits) => bits === 0)));
});
