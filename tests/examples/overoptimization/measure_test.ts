import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createDecoder, initialTensors, uploadWeights, type Weights } from "@tr/align/models";
import { groupReplies, measureDivergence } from "../../../examples/overoptimization/measure.ts";
import { createSpeaker, type Speaker, writeUntrained } from "../../../examples/overoptimization/speaker.ts";
import type { Reply } from "../../../examples/overoptimization/replies.ts";
import { createTrainer, lossOf } from "../../../examples/overoptimization/trainer.ts";
import { testDevice } from "../../kernels/harness.ts";

/** Log-probs over the vocabulary, in float64, of each token of a completion: from logits of the decoder, which is another
 * way through the model than that of the engine. */
async function logProbs(
  weights: Weights,
  { prompt, completion }: Pick<Reply, "prompt" | "completion">,
  { config }: Speaker,
): Promise<Float64Array[]> {
  const decoder = await createDecoder(await testDevice(), {
    config,
    weights,
    maxSequences: 1,
    maxLength: 32,
  });
  const tokens = [...prompt, ...completion];
  decoder.prefill([{ sequence: 0, tokens: prompt.slice(0, -1) }]);
  const rows: Float64Array[] = [];
  for (let position = prompt.length - 1; position < tokens.length - 1; position++) {
    const logits = Float64Array.from(await decoder.step([{ token: tokens[position]!, position }]));
    const most = Math.max(...logits);
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0)) + most;
    rows.push(logits.map((logit) => logit - total));
  }
  return rows;
}

Deno.test("measureDivergence is KL over the vocabulary, summed along each sample, and the sample's log-ratio", async () => {
  const device = await testDevice();
  const speaker = createSpeaker();
  const path = await Deno.makeTempDir();
  try {
    await writeUntrained(speaker, { path, seed: 0 });
    const shapes = [{ rows: 64, slots: 32, sequences: 4 }];
    const trainer = await createTrainer(device, {
      speaker,
      start: path,
      loss: lossOf("dpo", { beta: 0.1 }),
      shapes,
      maxGradNorm: 1,
      sequences: 2,
    });
    await trainer.reset();
    const { engine } = trainer;
    const other = new Map(
      initialTensors(speaker.config, { seed: 1, deviation: 0.125 }).map((t) => [t.name, t]),
    );
    await uploadWeights(device, engine.sets.policy, {
      parameters: speaker.parameters,
      read: async (name, receive) => {
        const { shape, read } = other.get(name)!;
        receive(0, await read(0, shape.reduce((product, size) => product * size, 1)));
      },
    });
    // Two groups of two; the last batch is half full.
    const replies = [
      { prompt: [0, 5, 9], completion: [7, 1] },
      { prompt: [0, 5, 9], completion: [12, 30, 8, 1] },
      { prompt: [0, 11], completion: [1] },
      { prompt: [0, 11], completion: [44, 44, 44] },
      { prompt: [0, 2, 3, 4], completion: [6, 5, 1] },
      { prompt: [0, 2, 3, 4], completion: [6, 5, 4] },
    ] as unknown as Reply[];
    const { exact, logRatio } = await measureDivergence(engine, { replies, batchSize: 2, shapes });
    assertEquals(exact.length, replies.length);
    for (const [i, reply] of replies.entries()) {
      const policy = await logProbs(engine.weights("policy"), reply, speaker);
      const initial = await logProbs(engine.weights("initial"), reply, speaker);
      let divergence = 0, ratio = 0;
      for (const [t, row] of policy.entries()) {
        row.forEach((value, token) => divergence += Math.exp(value) * (value - initial[t]![token]!));
        ratio += row[reply.completion[t]!]! - initial[t]![reply.completion[t]!]!;
      }
      assert(divergence > 0.01, "two untrained models differ");
      // Sums of a few float32 log-probs of about −4 each.
      assertAlmostEquals(exact[i]!, divergence, 1e-4 * Math.max(1, divergence));
      assertAlmostEquals(logRatio[i]!, ratio, 1e-4 * Math.max(1, Math.abs(ratio)));
    }
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("groupReplies puts two replies to an order behind one prompt", () => {
  const replies = [
    { prompt: [0, 3], completion: [4, 1] },
    { prompt: [0, 3], completion: [1] },
  ];
  assertEquals(groupReplies(replies), [{ prompt: [0, 3], completions: [[4, 1], [1]] }]);
});
