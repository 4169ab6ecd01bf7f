/** Whole runs on a device that can't bind the embedding or the head in one piece. */
import { assert, assertEquals } from "@std/assert";
import { prepareRun } from "../../training/prepare.ts";
import { smallBindings } from "./small_bindings.ts";
import { carryOut, type Changes, tinyConfig, tinyFiles, withoutRate, writeTinyModel } from "./tiny_run.ts";

const files = await tinyFiles();
const LIMIT = 2 ** 18;

for (
  const { what, change, changes } of [
    { what: "an embedding and a head", change: {}, changes: {} },
    { what: "a tied embedding", change: { tie_word_embeddings: true }, changes: {} },
    {
      what: "the base of adapters",
      change: {},
      changes: { model: { lora: { path: null, rank: 3, base: "bfloat16", merge: true } } },
    },
  ] as { what: string; change: Record<string, unknown>; changes: Changes }[]
) {
  Deno.test(`a run is the same with ${what} in several bindings`, async () => {
    const path = await Deno.makeTempDir({ dir: files.directory });
    // 1,000 rows of 160 are 640,000 bytes in float32, 320,000 in bfloat16; logits of 64 rows fit.
    const sizes = { vocab_size: 1000, hidden_size: 160, ...change };
    await writeTinyModel(`${path}/model`, { seed: 0, tokenizer: files.model, change: sizes });
    const config = (name: string) =>
      tinyConfig(files, {
        data: { eval: files.heldOut },
        training: { batchSize: 2, steps: 6, learningRate: 1e-3 },
        reference: { update: "soft", alpha: 0.6, every: 2, path: null },
        ...changes,
        model: { ...changes.model, path: `${path}/model` },
        output: { directory: `${path}/${name}`, evalEvery: 3, samples: 1 },
      });
    const device = await smallBindings(LIMIT);
    const { engine, model } = await prepareRun(device, config("split"));
    model.directory.close();
    const weights = engine.sets.base ?? engine.sets.policy;
    assert(weights.buffers.length > 2, `${weights.buffers.length} buffers`);
    assertEquals(weights.tensors.has("embedding"), false);

    const whole = await carryOut(config("whole"));
    const split = await carryOut(config("split"), { device });
    assertEquals(split.rows.length, whole.rows.length);
    for (const [i, row] of withoutRate(split.rows).entries()) {
      for (const [name, value] of Object.entries(row)) {
        const wanted = whole.rows[i]![name]!;
        const error = Math.abs(value - wanted);
        assert(
          error <= 2e-4 * Math.max(1, Math.abs(wanted)),
          `${name} of row ${i}: ${value}, wanted ${wanted}`,
        );
      }
    }
    const [actual, expected] = [split.weights, whole.weights];
    assertEquals(actual.length, expected.length);
    const start = 8 + Number(new DataView(actual.buffer).getBigUint64(0, true));
    const [a, b] = [actual, expected].map((bytes) => new Float32Array(bytes.slice(start).buffer));
    let largest = 0;
    b!.forEach((value, i) => largest = Math.max(largest, Math.abs(a![i]! - value)));
    // An AdamW step is of the size of the learning rate wherever a gradient's sign is in doubt.
    assert(largest < 1e-3, `weights differ by up to ${largest}`);
  });
}
