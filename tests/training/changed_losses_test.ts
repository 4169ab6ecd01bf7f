/**
 * What margins, LD-DPO and WPO ask of a run beside the loss: data, sums over tokens, and how likely completions
 * are.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { measureGroups, packGroups } from "../../data/pack.ts";
import type { PreferenceLossFunction } from "../../losses/batch.ts";
import { dpoLoss } from "../../losses/dpo.ts";
import { sumDesensitized } from "../../losses/ld_dpo.ts";
import type { LossSettings } from "../../training/config.ts";
import { loadWeights, prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { carryOut, tinyConfig, tinyFiles } from "./tiny_run.ts";

const files = await tinyFiles();
const dpo: LossSettings = { type: "dpo", weight: 1, beta: 0.1, labelSmoothing: 0 };

/** A file of pairs of unequal lengths. */
async function writePairs(margin?: (i: number) => number): Promise<string> {
  const path = `${files.directory}/${crypto.randomUUID()}.jsonl`;
  const ids = (count: number, first: number) =>
    Array.from({ length: count }, (_, k) => 3 + (first + 7 * k) % 97);
  const records = Array.from({ length: 8 }, (_, i) => ({
    prompt_ids: ids(2 + i, i),
    chosen_ids: ids(1 + (5 * i) % 9, 2 * i),
    rejected_ids: ids(1 + (3 * i + 4) % 7, 3 * i),
    ...(margin ? { margin: margin(i) } : {}),
  }));
  await Deno.writeTextFile(path, records.map((record) => JSON.stringify(record) + "\n").join(""));
  return path;
}

Deno.test("a run desensitized to length sums policy and reference as sumDesensitized does", async () => {
  const config = tinyConfig(files, {
    data: { train: [await writePairs()] },
    loss: [{ ...dpo, ldAlpha: 0.25 }],
    training: { steps: 1, batchSize: 8 },
  });
  const run = await prepareRun(await testDevice(), config);
  await loadWeights(run);
  run.model.directory.close();
  const [shape] = run.plan.shapes;
  const groups = [...run.records.examples];
  assert(measureGroups(groups).slots <= shape!.slots);
  const batch = packGroups(groups, { shape: shape!, tailWeight: 0.25 });
  const { token, sequence } = await run.engine.score(batch, { policy: "policy", shape: shape! }).read();
  const { policy, reference } = await run.engine.compare(batch, { shape: shape! }).read();
  let slot = 0, index = 0, changed = 0;
  for (const { completions } of groups) {
    const shorter = Math.min(...completions.map(({ length }) => length));
    for (const { length } of completions) {
      const logProbs = [...token!.subarray(slot, slot += length)];
      const expected = sumDesensitized(logProbs, { shorter, alpha: 0.25 });
      for (const sums of [sequence, policy, reference]) assertAlmostEquals(sums![index]!, expected, 1e-4);
      if (length > shorter) changed++;
      index++;
    }
  }
  assert(changed > 3);
});

const losses: Record<string, LossSettings> = {
  "dpo desensitized to length": { ...dpo, ldAlpha: 0.5 },
  "dpo weighed by the policy": { ...dpo, wpo: true },
  "simpo weighed by the policy": { type: "simpo", weight: 1, beta: 2, gamma: 0.5, wpo: true },
  "margin": { type: "margin", weight: 1, beta: 0.1 },
  "aot": { type: "aot", weight: 1, beta: 0.1, labelSmoothing: 0 },
};
for (const [name, loss] of Object.entries(losses)) {
  Deno.test(`${name} trains, and evaluates what it trains on alike`, async () => {
    const pairs = await writePairs((i) => 0.25 * i);
    const config = tinyConfig(files, {
      data: { train: [pairs], eval: pairs },
      loss: [loss],
      reference: { update: "frozen", path: null },
      training: { steps: 6, batchSize: 8, learningRate: 1e-2, warmup: 0 },
      output: { directory: `${files.directory}/${crypto.randomUUID()}`, evalEvery: 1, saveEvery: 0 },
    });
    const { rows } = await carryOut(config);
    assertEquals(rows.length, 7);
    for (let step = 1; step <= 6; step++) {
      // The evaluation after a step sees the policy that the next step starts from.
      assertAlmostEquals(rows[step]!.loss!, rows[step - 1]!.eval_loss!, 2e-5, `step ${step}`);
    }
    assert(rows[6]!.loss! < 0.9 * rows[1]!.loss!, `${rows.map(({ loss }) => loss)}`);
  });
}

Deno.test("a loss of one's own gets the margins that the data has", async () => {
  const seen: number[][] = [];
  const own: PreferenceLossFunction = (batch) => {
    if (batch.margins) seen.push(Array.from(batch.margins));
    return dpoLoss(batch, { beta: 0.1 });
  };
  const config = (train: string) =>
    tinyConfig(files, {
      data: { train: [train], shuffle: false },
      training: { steps: 1, batchSize: 8 },
      output: { directory: `${files.directory}/${crypto.randomUUID()}`, saveEvery: 0 },
    });
  await carryOut(config(await writePairs()), { loss: own });
  assertEquals(seen, []);
  await carryOut(config(await writePairs((i) => i - 2)), { loss: own });
  assertEquals(seen[0], [-2, -1, 0, 1, 2, 3, 4, 5]);
});
