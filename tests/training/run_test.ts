/** Whole runs, from files to files: they repeat, they resume, and they write what they are told. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { RunConfig } from "../../training/config.ts";
import type { Metrics } from "../../training/metrics.ts";
import {
  assertSame,
  carryOut,
  type Changes,
  tinyConfig,
  tinyFiles,
  tinySftConfig,
  withoutRate,
} from "./tiny_run.ts";

const files = await tinyFiles();
const frozen = { update: "frozen", path: null } as const;
const soft = { update: "soft", alpha: 0.6, every: 2, path: null } as const;
const hard = { update: "hard", every: 3, path: null } as const;
const reset = { ...hard, resetOptimizer: true } as const;
const epoch = { update: "epoch", alpha: 0.7, path: null } as const;
const bema = {
  update: "bema",
  every: 2,
  emaPower: 0.5,
  biasPower: 0.2,
  lag: 10,
  multiplier: 1,
  path: null,
} as const;

let runs = 0;
const nextDirectory = () => `${files.directory}/run${++runs}`;
const dpo = (changes: Changes = {}) =>
  tinyConfig(files, { ...changes, output: { directory: nextDirectory(), ...changes.output } });
const sft = (changes: Changes = {}) =>
  tinySftConfig(files, { ...changes, output: { directory: nextDirectory(), ...changes.output } });

const kinds: Record<string, (changes?: Changes) => RunConfig> = {
  "DPO with a frozen reference": (changes) => dpo({ ...changes, reference: frozen }),
  "DPO with a soft reference": (changes) => dpo({ ...changes, reference: soft }),
  "DPO with a hard reference": (changes) => dpo({ ...changes, reference: hard }),
  "DPO with a hard reference and optimizer resets": (changes) => dpo({ ...changes, reference: reset }),
  // Ten steps an epoch, so that the end of one lies after the interruption.
  "DPO with an update an epoch": (changes) => dpo({ ...changes, reference: epoch }),
  "DPO with a corrected average": (changes) => dpo({ ...changes, reference: bema }),
  "fine-tuning": sft,
};
for (const [kind, configure] of Object.entries(kinds)) {
  Deno.test(`${kind}: a run that was stopped and resumed is the uninterrupted one, bit for bit`, async () => {
    const uninterrupted = await carryOut(configure({ output: { saveEvery: 0 } }));
    assertEquals(uninterrupted.rows.map(({ step }) => step), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

    const config = configure({ output: { saveEvery: 5 } });
    const stopped = await carryOut(config, { stopAfter: 8 });
    assertEquals(stopped.rows.at(-1)!.step, 8);
    const resumed = await carryOut({ ...config, output: { ...config.output, saveEvery: 0 } }, {
      resume: true,
    });
    assertEquals(resumed.events.filter((type) => type === "step").length, 12 - 5); // from the checkpoint of step 5
    assertEquals(withoutRate(resumed.rows), withoutRate(uninterrupted.rows));
    assertSame(resumed.weights, uninterrupted.weights, "weights");
  });
}

Deno.test("two runs with the same settings are the same, and another seed makes another", async () => {
  const config = (seed: number) => dpo({ reference: soft, training: { seed }, output: { saveEvery: 0 } });
  const [first, second, other] = [
    await carryOut(config(1)),
    await carryOut(config(1)),
    await carryOut(config(2)),
  ];
  assertEquals(withoutRate(first.rows), withoutRate(second.rows));
  assertSame(first.weights, second.weights, "weights");
  assert(first.rows.at(-1)!.loss !== other.rows.at(-1)!.loss);
  assert(first.weights.some((byte, i) => byte !== other.weights[i]));
  const untrained = await Deno.readFile(`${files.model}/model.safetensors`);
  assertEquals(untrained.length, first.weights.length);
  assert(untrained.some((byte, i) => byte !== first.weights[i]));
});

Deno.test("resuming a run that is done changes nothing", async () => {
  const config = dpo({ training: { steps: 3 } });
  const done = await carryOut(config);
  const again = await carryOut(config, { resume: true });
  assertEquals(again.events, ["start", "done"]);
  assertEquals(again.rows, done.rows);
  assertSame(again.weights, done.weights, "weights");
});

Deno.test("a run that was stopped before its first checkpoint starts again", async () => {
  const settings = { training: { steps: 4 }, data: { eval: files.heldOut }, output: { saveEvery: 0 } };
  const config = dpo(settings);
  await carryOut(config, { stopAfter: 2 });
  const resumed = await carryOut(config, { resume: true });
  assertEquals(withoutRate(resumed.rows), withoutRate((await carryOut(dpo(settings))).rows));
  assertEquals(resumed.rows.map(({ step }) => step), [0, 1, 2, 3, 4]);
});

Deno.test("a run is not resumed with other settings", async () => {
  const config = dpo({ reference: soft, training: { steps: 2 }, output: { saveEvery: 1 } });
  await carryOut(config, { stopAfter: 2 });
  const changed = { ...config, training: { ...config.training, learningRate: 2e-3 } };
  await assertRejects(
    () => carryOut(changed, { resume: true }),
    Error,
    "learning_rate was 0.001 and is 0.002 now",
  );
  await assertRejects(
    () => carryOut({ ...config, reference: hard }, { resume: true }),
    Error,
    "reference.update was",
  );
  // What is written and how often is no part of the run.
  await carryOut({ ...config, output: { ...config.output, keepCheckpoints: 1, logEvery: 2 } }, {
    resume: true,
  });
});

Deno.test("held-out records are evaluated before the first step, every so often, and at the end", async () => {
  const { rows, events } = await carryOut(dpo({
    reference: hard,
    data: { eval: files.heldOut },
    output: { evalEvery: 3, saveEvery: 0 },
    training: { steps: 7 },
  }));
  const evaluated = rows.filter((row) => "eval_loss" in row);
  assertEquals(evaluated.map(({ step }) => step), [0, 3, 6, 7]);
  assertEquals(Object.keys(evaluated[0]!).filter((name) => !name.startsWith("eval_")), ["step"]);
  assertEquals(rows.map(({ step }) => step), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(events.filter((type) => type === "step").length, 7);
  assertEquals(events.slice(-3), ["step", "checkpoint", "done"]);

  const [before, afterCopy] = evaluated as [Metrics, Metrics];
  assertEquals(before.eval_loss!.toFixed(6), Math.LN2.toFixed(6));
  assertEquals(before["eval_rewards/margins"], 0);
  assertEquals(before["eval_rewards/accuracies"], 0); // strict: no margin is above 0
  // The copy comes before the evaluation of the same step.
  assertEquals(afterCopy["eval_rewards/margins"], 0);
  assert(Math.abs(afterCopy["eval_rewards_initial/margins"]!) > 1e-3);
  for (const row of evaluated) {
    for (const name of ["eval_logps/accuracies", "eval_rewards_initial/accuracies"]) {
      const wins = row[name]! * 12; // of 12 pairs
      assertEquals(wins.toFixed(9), Math.round(wins).toFixed(9), name);
    }
  }
});

Deno.test("eval_every 0 evaluates at both ends only, save_every 0 saves at the end only", async () => {
  const { rows, events, output } = await carryOut(
    dpo({ data: { eval: files.heldOut }, output: { evalEvery: 0, saveEvery: 0 }, training: { steps: 4 } }),
  );
  assertEquals(rows.filter((row) => "eval_loss" in row).map(({ step }) => step), [0, 4]);
  assertEquals(events.filter((type) => type === "checkpoint").length, 1);
  assertEquals((await Array.fromAsync(Deno.readDir(output.checkpoints))).map(({ name }) => name), [
    "step-000004",
  ]);
});

Deno.test("log_every leaves out rows, but none that carries an evaluation or a checkpoint", async () => {
  const { rows } = await carryOut(
    dpo({
      data: { eval: files.heldOut },
      output: { logEvery: 4, evalEvery: 6, saveEvery: 5 },
      training: { steps: 11 },
    }),
  );
  assertEquals(rows.map(({ step }) => step), [0, 4, 5, 6, 8, 10, 11]);
});

Deno.test("fine-tuning lowers the loss on what it is trained on, and its rows have no rewards", async () => {
  const { rows } = await carryOut(
    sft({
      data: { eval: files.supervised },
      output: { saveEvery: 0 },
      training: { steps: 25, learningRate: 1e-2 },
    }),
  );
  const [first, last] = [rows[0]!, rows.at(-1)!];
  assert(last.eval_loss! < 0.6 * first.eval_loss!, `${first.eval_loss} → ${last.eval_loss}`);
  assertEquals(Object.keys(last).filter((name) => /rewards|curvature|reference|kl/.test(name)), []);
});

Deno.test("DPO widens the margin of what it is trained on and lowers the loss", async () => {
  const { rows } = await carryOut(
    dpo({ data: { eval: files.preferences }, output: { saveEvery: 0 }, training: { steps: 25 } }),
  );
  const [first, last] = [rows[0]!, rows.at(-1)!];
  assert(last.eval_loss! < 0.5 * first.eval_loss!, `${first.eval_loss} → ${last.eval_loss}`);
  assert(last["eval_rewards/accuracies"]! > 0.85);
  assert(last["eval_rewards/chosen"]! > last["eval_rewards/rejected"]! + 0.5);
});
