/** Activation checkpointing in the engine: the same bits in less memory. */
import { assert, assertEquals } from "@std/assert";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import type { Checkpointing } from "../../models/transformer.ts";
import { testDevice } from "../kernels/harness.ts";
import { fixtureEngine } from "./fixture_engine.ts";
import { assertSame, readSet } from "./tiny_run.ts";

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
  const { engine, batch, shape } = await fixtureEngine(name, { loss, seeded: true, checkpointing });
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
