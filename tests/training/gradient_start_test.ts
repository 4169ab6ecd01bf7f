/**
 * The first micro-batch of a step replaces the gradients of the step before. What it leaves must be, bit for bit, what adding
 * to cleared gradients leaves, which is how later micro-batches contribute.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import { clearParameters, type ParameterSet } from "../../kernels/parameters.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { modelParameters } from "../../models/families/mod.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import { layoutAdapters } from "../../models/lora/layout.ts";
import { uploadAdapter } from "../../models/lora/values.ts";
import { uploadDirectory } from "../../models/weights.ts";
import { createEngine, type Engine } from "../../training/engine.ts";
import { fixturePath } from "../fixtures/fixtures.ts";
import { randomValues, testDevice } from "../kernels/harness.ts";
import { fixtureEngine } from "./fixture_engine.ts";
import { readSet } from "./tiny_run.ts";

const device = await testDevice();
const loss = compileLoss(dpo({ beta: 0.1 }));

/** Fills every tensor of a set, but not the gaps between them, with numbers that would show. */
function fill(set: ParameterSet): void {
  for (const { storage, shape } of set.tensors.values()) {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(NaN);
    device.gpu.queue.writeBuffer(storage.buffer!, storage.offset, values);
  }
}

/** The gradients after a first micro-batch over leftovers, and after a later one over zeros. */
async function startedAndAdded(
  { sets, ...engine }: Engine,
  accumulate: () => void,
): Promise<[Float32Array, Float32Array]> {
  fill(sets.gradients);
  engine.beginStep();
  accumulate();
  const started = await readSet(device, sets.gradients);
  clearParameters(device, sets.gradients);
  accumulate();
  return [started, await readSet(device, sets.gradients)];
}

function assertSameBits([started, added]: [Float32Array, Float32Array]): void {
  assert(added.some((value) => value !== 0));
  // 0 + −0 is 0, so that the sign of a zero may differ; it reaches no weight.
  assertEquals(started.findIndex((value, i) => value !== added[i]), -1);
}

// Tied and untied heads, biases, learned positions, transposed weights, norms of heads.
for (const name of ["llama-gqa", "qwen2", "qwen3", "gpt2", "gpt_neox"]) {
  Deno.test(`${name}: the first micro-batch starts the gradient, by a loss or by given derivatives`, async () => {
    const { engine, batch, shape } = await fixtureEngine(name, {
      loss,
      reference: "moving",
      seeded: true,
      accumulate: 2,
    });
    const micro = { shape, records: 3, stepRecords: 3, stepTokens: 3, labels: [1, 1, 1] };
    assertSameBits(await startedAndAdded(engine, () => engine.accumulate(batch, micro)));
    const initial = { ...micro, measureInitial: true };
    assertSameBits(await startedAndAdded(engine, () => engine.accumulate(batch, initial)));
    const derivatives = [0.5, -1, 0.25, 1, 2, -0.125];
    assertSameBits(
      await startedAndAdded(engine, () => engine.accumulateSeeded(batch, { shape, derivatives })),
    );
  });
}

for (const name of ["llama-gqa", "gpt_neox"]) {
  Deno.test(`${name}: the first micro-batch starts the gradient of adapters`, async () => {
    const { batch, shape } = await fixtureEngine(name, { loss });
    using directory = await openModelDirectory(fixturePath(name));
    const config = parseModelConfig(directory.config, { name });
    const parameters = modelParameters(config);
    const layout = layoutAdapters(parameters, { rank: 3, alpha: 6, targets: "all-linear" });
    const engine = await createEngine(device, {
      config,
      lora: { layout, base: "float32", snapshots: 1, continued: false },
      loss,
      sequencesPerRecord: 2,
      reference: "frozen",
      optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maxGradNorm: null },
      shapes: [shape],
      maxLength: 64,
      accumulate: 2,
    });
    await uploadDirectory(device, engine.sets.base!, { directory, parameters });
    let seed = 0;
    await uploadAdapter(device, engine.sets.policy, {
      layout,
      read: ({ shape: [rows, columns] }) =>
        Promise.resolve(randomValues(rows * columns, { seed: seed++, scale: 0.2 })),
    });
    const micro = { shape, records: 3, stepRecords: 3, stepTokens: 3, labels: [1, 1, 1] };
    assertSameBits(await startedAndAdded(engine, () => engine.accumulate(batch, micro)));
  });
}

Deno.test("an engine for one micro-batch a step refuses a second", async () => {
  const { engine, batch, shape } = await fixtureEngine("llama-gqa", { loss });
  const micro = { shape, records: 3, stepRecords: 3, stepTokens: 3, labels: [1, 1, 1] };
  engine.beginStep();
  engine.accumulate(batch, micro);
  assertThrows(() => engine.accumulate(batch, micro), Error, "it was not built for this");
});
