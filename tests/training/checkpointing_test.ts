/** Activation checkpointing in the engine: the same bits in less memory. */
import { assert, assertEquals } from "@std/assert";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import type { Checkpointing } from "../../models/transformer.ts";
import { testDevice } from "../kernels/harness.ts";
import { fixtureEngine } from "./fixture_engine.ts";
import { smallBindings } from "./small_bindings.ts";
import {
  assertSame,
  carryOut,
  type Changes,
  readSet,
  tinyConfig,
  tinyFiles,
  withoutRate,
  writeTinyModel,
} from "./tiny_run.ts";

const families = [
  "llama-gqa",
  "llama3-rope",
  "mistral",
  "mistral-window",
  "qwen2",
  "qwen3",
  "gpt2",
  "gpt_neox",
];
const device = await testDevice();
const loss = compileLoss(dpo({ beta: 0.1 }));

/** The gradient of two micro-batches, one of them with derivatives from the host, and what the programs gave. */
async function accumulated(name: string, checkpointing: Checkpointing) {
  const { engine, batch, shape } = await fixtureEngine(name, {
    loss,
    seeded: true,
    accumulate: 2,
    checkpointing,
  });
  assertEquals(engine.memory.checkpointing, checkpointing);
  engine.beginStep();
  const share = { shape, labels: [], records: 3, stepRecords: 6, stepTokens: 1 };
  const trained = await engine.accumulate(batch, { ...share, measureInitial: true }).read();
  const derivatives = [0.1, -0.2, 0.3, -0.4, 0.5, -0.6];
  const seeded = await engine.accumulateSeeded(batch, { shape, derivatives }).read();
  const gradients = await readSet(device, engine.sets.gradients);
  return { gradients, outputs: { ...trained, seeded: seeded.policy! }, memory: engine.memory };
}

for (const name of families) {
  Deno.test(`${name}: computing blocks again gives the same gradients bit for bit, in less memory`, async () => {
    const kept = await accumulated(name, "none");
    const again = await accumulated(name, "block");
    assert(kept.gradients.some((value) => value !== 0));
    assertSame(again.gradients, kept.gradients, "gradients");
    for (const [output, values] of Object.entries(kept.outputs)) {
      assertSame(again.outputs[output as keyof typeof again.outputs]!, values, output);
    }
    assertEquals(again.memory.choices, kept.memory.choices);
    assert(again.memory.temporaries < kept.memory.temporaries);
  });
}

const files = await tinyFiles();

for (
  const { what, changes } of [
    { what: "all weights", changes: {} },
    {
      what: "adapters over bfloat16",
      changes: { model: { lora: { path: null, rank: 3, base: "bfloat16", merge: true } } },
    },
  ] as { what: string; changes: Changes }[]
) {
  Deno.test(`a run of ${what} in parts, killed without checkpointing and resumed with it, ends in the same bits`, async () => {
    const path = await Deno.makeTempDir({ dir: files.directory });
    // As in split_weights_test.ts: the tied embedding takes several bindings.
    const sizes = { vocab_size: 1000, hidden_size: 160, tie_word_embeddings: true };
    await writeTinyModel(`${path}/model`, { seed: 0, tokenizer: files.model, change: sizes });
    const device = await smallBindings(2 ** 18);
    const config = (name: string, checkpointing: Checkpointing) =>
      tinyConfig(files, {
        reference: { update: "soft", alpha: 0.6, every: 2, path: null },
        ...changes,
        training: { batchSize: 2, accumulate: 2, steps: 6, checkpointing },
        model: { ...changes.model, path: `${path}/model` },
        output: { directory: `${path}/${name}`, saveEvery: 2 },
      });
    const whole = await carryOut(config("whole", "none"), { device });
    await carryOut(config("resumed", "none"), { device, stopAfter: 4 });
    const resumed = await carryOut(config("resumed", "block"), { device, resume: true });
    assertEquals(withoutRate(resumed.rows), withoutRate(whole.rows));
    assertSame(resumed.weights, whole.weights, "the trained model");
  });
}
