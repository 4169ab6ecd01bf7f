/** The reference on the device follows its strategy exactly, and the metrics show it. */
import { assert, assertEquals } from "@std/assert";
import { mixReference } from "../../reference/mix.ts";
import type { ReferenceSettings } from "../../training/reference_settings.ts";
import { trainSteps } from "../../training/loop.ts";
import type { Metrics } from "../../training/metrics.ts";
import { loadWeights, prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { type AdamwState, adamwStep } from "../kernels/references/adamw.ts";
import { assertSame, loopOptions, readSet, tinyConfig, tinyFiles } from "./tiny_run.ts";

const files = await tinyFiles();

/** The three policies, and the metrics of the step that led to them. */
interface Moment {
  policy: Float32Array<ArrayBuffer>;
  reference: Float32Array<ArrayBuffer>;
  initial: Float32Array<ArrayBuffer>;
  row: Metrics;
  /** AdamW's moments. */
  first: Float32Array<ArrayBuffer>;
  second: Float32Array<ArrayBuffer>;
  /** The step's gradient, before clipping. */
  gradient: Float32Array<ArrayBuffer>;
}

/** Trains and reads the policies off the device before the first and after every step. */
async function follow(reference: ReferenceSettings, training = {}): Promise<Moment[]> {
  const run = await prepareRun(await testDevice(), tinyConfig(files, { reference, training }));
  await loadWeights(run);
  run.model.directory.close();
  const { device, sets } = run.engine;
  const read = async (row: Metrics): Promise<Moment> => ({
    policy: await readSet(device, sets.policy),
    reference: await readSet(device, sets.reference),
    initial: await readSet(device, sets.initial),
    first: await readSet(device, sets.first),
    second: await readSet(device, sets.second),
    gradient: await readSet(device, sets.gradients),
    row,
  });
  const moments = [await read({})];
  let last: Metrics = {};
  for await (const event of trainSteps(run.engine, { ...loopOptions(run), pauseAfter: () => true })) {
    if (event.type === "metrics") last = event.row;
    else moments.push(await read(last));
  }
  return moments;
}

const differs = (a: Float32Array, b: Float32Array) => a.some((value, i) => value !== b[i]);

/** Fails unless `reference` is the exact mix, up to the rounding of two float32 products and their sum. */
function assertMixed(actual: Moment, { before, alpha }: { before: Moment; alpha: number }): void {
  const exact = mixReference(Float64Array.from(before.reference), actual.policy, { alpha });
  exact.forEach((value, i) => {
    const rounding = 2 ** -23 * (Math.abs(actual.policy[i]!) + Math.abs(before.reference[i]!));
    const error = Math.abs(actual.reference[i]! - value);
    assert(error <= rounding, `element ${i} is ${actual.reference[i]}, wanted ${value}: off by ${error}`);
  });
}

Deno.test("a soft reference mixes in 0.6 of the policy after every second step, and only then", async () => {
  const moments = await follow({ update: "soft", alpha: 0.6, every: 2, path: null }, { steps: 7 });
  assertSame(moments[0]!.reference, moments[0]!.policy, "the reference at the start");
  for (const [i, moment] of moments.slice(1).entries()) {
    const [step, before] = [i + 1, moments[i]!];
    assert(differs(moment.policy, before.policy), `step ${step} left the policy alone`);
    assertSame(moment.initial, moments[0]!.policy, `the initial reference after step ${step}`);
    assertEquals(moment.row["reference/alpha"], step % 2 === 0 ? 0.6 : 0);
    assertEquals(moment.row["reference/updates"], Math.floor(step / 2));
    if (step % 2 === 0) {
      assert(differs(moment.reference, before.reference), `step ${step} left the reference alone`);
      assertMixed(moment, { before, alpha: 0.6 });
    } else {
      assertSame(moment.reference, before.reference, `the reference after step ${step}`);
    }
  }
});

Deno.test("a hard reference is the policy after every third step, and the margins fall to zero", async () => {
  const moments = await follow({ update: "hard", every: 3, path: null }, { steps: 8 });
  for (const [i, moment] of moments.slice(1).entries()) {
    const [step, before, { row }] = [i + 1, moments[i]!, moment];
    assertSame(moment.initial, moments[0]!.policy, `the initial reference after step ${step}`);
    const wanted = step % 3 === 0 ? moment.policy : before.reference;
    assertSame(moment.reference, wanted, `the reference after step ${step}`);
    assertEquals(row["reference/alpha"], step % 3 === 0 ? 1 : 0);

    const names = ["rewards/chosen", "rewards/rejected", "rewards/margins"];
    const current = names.map((name) => row[name]!);
    const initial = names.map((name) => row[name.replace("rewards", "rewards_initial")]!);
    if (step <= 3) assertEquals(initial, current, `step ${step}`); // the update of step 3 comes after its metrics
    if (step === 1 || step === 4 || step === 7) {
      assertEquals(current, [0, 0, 0], `step ${step}`);
      assertEquals(row["rewards/accuracies"], 0);
      assertEquals(row.loss!.toFixed(6), Math.LN2.toFixed(6));
    } else {
      for (const value of current) assert(Math.abs(value) > 1e-4, `step ${step}: ${current}`);
    }
    if (step > 1) { for (const value of initial) assert(Math.abs(value) > 1e-4, `step ${step}: ${initial}`); }
    if (step > 3) assert(differs(Float32Array.from(initial), Float32Array.from(current)), `step ${step}`);
  }
});

Deno.test("a frozen reference stays, and the rewards against it are those against the initial one", async () => {
  const run = await prepareRun(await testDevice(), tinyConfig(files, { training: { steps: 4 } }));
  await loadWeights(run);
  run.model.directory.close();
  const { device, sets } = run.engine;
  const before = await readSet(device, sets.reference);
  for await (const event of trainSteps(run.engine, loopOptions(run))) {
    if (event.type !== "metrics") continue;
    for (const name of ["chosen", "rejected", "margins", "accuracies"]) {
      assertEquals(event.row[`rewards/${name}`], event.row[`rewards_initial/${name}`]);
    }
    assertEquals(event.row["reference/updates"], 0);
  }
  assertSame(await readSet(device, sets.reference), before, "the reference at the end");
  assert(differs(await readSet(device, sets.policy), before));
});

Deno.test("initial_every makes the measurement against the initial reference rarer, or leaves it out", async () => {
  const measured = async (initialEvery: number) => {
    const moments = await follow({ update: "hard", every: 2, path: null }, { steps: 7, initialEvery });
    return moments.filter(({ row }) => "rewards_initial/margins" in row).map(({ row }) => row.step);
  };
  assertEquals(await measured(3), [3, 6]);
  assertEquals(await measured(0), []);
});

Deno.test("a corrected average of the policy is the reference that a float64 loop makes of the same policies", async () => {
  const settings = { every: 2, emaPower: 0.5, biasPower: 0.2, lag: 10, multiplier: 1 };
  const moments = await follow({ update: "bema", ...settings, path: null }, { steps: 7 });
  const [{ policy: initial }] = moments as [Moment];
  assertSame(moments[0]!.reference, initial, "the reference at the start");
  let average = Float64Array.from(initial);
  for (const [i, { policy, reference, row }] of moments.slice(1).entries()) {
    const t = i + 1;
    assertSame(moments[t]!.initial, initial, `the initial reference after step ${t}`);
    if (t % 2 !== 0) {
      assertSame(reference, moments[i]!.reference, `the reference after step ${t}`);
      assertEquals(row["reference/alpha"], 0);
      continue;
    }
    // Block and Zhang, arXiv 2508.00180: powers of 10 + t, from the initial weights on.
    const [beta, bias] = [(10 + t) ** -0.5, (10 + t) ** -0.2];
    average = average.map((value, k) => beta * policy[k]! + (1 - beta) * value);
    assertEquals(row["reference/alpha"], beta);
    let changed = 0;
    average.forEach((value, k) => {
      const wanted = value + bias * (policy[k]! - initial[k]!);
      // The device's average carries float32 rounding from update to update.
      const rounding = 2 ** -23 * 4 * (Math.abs(policy[k]!) + Math.abs(initial[k]!) + Math.abs(wanted));
      assert(
        Math.abs(reference[k]! - wanted) <= rounding,
        `step ${t}, element ${k}: ${reference[k]}, ${wanted}`,
      );
      if (Math.abs(wanted - initial[k]!) > 10 * rounding) changed++;
    });
    assert(changed > average.length / 2, `step ${t} moved only ${changed} of ${average.length}`);
  }
});

Deno.test("a reset makes the next steps those of a new AdamW, by a float64 loop over the same gradients", async () => {
  const moments = await follow({ update: "hard", every: 3, path: null, resetOptimizer: true }, {
    steps: 5,
    schedule: "constant",
    warmup: 0,
    weightDecay: 0,
    maxGradNorm: null,
  });
  assertEquals(moments.slice(1).map(({ row }) => row["optimizer/resets"]), [0, 0, 1, 1, 1]);
  const zeros = (length: number) => new Float64Array(length);
  const start = Float64Array.from(moments[0]!.policy);
  let state: AdamwState = { parameters: start, first: zeros(start.length), second: zeros(start.length) };
  for (const [i, moment] of moments.slice(1).entries()) {
    const step = i + 1;
    state = adamwStep({ ...state, parameters: Float64Array.from(moments[i]!.policy) }, {
      gradient: moment.gradient,
      learningRate: 1e-3,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0,
      decays: () => false,
      step: step > 3 ? step - 3 : step,
    });
    // A step changes a weight by about 1e-3, of which float32 weights of about 1 keep four digits.
    state.parameters.forEach((value, k) => {
      const rounding = 1e-3 * 1e-4 + 2 ** -23 * Math.abs(value);
      assert(
        Math.abs(moment.policy[k]! - value) <= rounding,
        `step ${step}, ${k}: ${moment.policy[k]}, ${value}`,
      );
    });
    if (step === 3) {
      assert([...moment.first, ...moment.second].every((value) => value === 0), "moments after the reset");
      state = { ...state, first: zeros(start.length), second: zeros(start.length) };
    } else {
      assert(moment.first.some((value) => value !== 0), `first moments after step ${step}`);
    }
  }
});

Deno.test("the reference moves where an epoch ends, also where the last batch of one is left out", async () => {
  // 40 pairs in batches of 12: three steps an epoch.
  const moments = await follow({ update: "epoch", alpha: 1, path: null }, { steps: 7, batchSize: 12 });
  assertEquals(moments.slice(1).map(({ row }) => row["reference/alpha"]), [0, 0, 1, 0, 0, 1, 0]);
  assertSame(moments[6]!.reference, moments[6]!.policy, "the reference after the second epoch");
});

Deno.test("an adaptive reference moves once the mean of what the rows say crosses the bound", async () => {
  const settings = { measure: "kl", bound: 0.02, spacing: 2, average: 2, alpha: 1, path: null } as const;
  const rows = (await follow({ update: "adaptive", ...settings }, { steps: 16 })).slice(1).map(({ row }) =>
    row
  );
  const kl = (step: number) => rows[step - 1]!["kl/reference"]!;
  let lastUpdate = 0;
  const updates: number[] = [];
  for (let step = 1; step <= rows.length; step++) {
    const latest = [step - 5, step - 4]; // four steps back is the last that is sure to have been read
    const mean = latest[0]! > lastUpdate ? (kl(latest[0]!) + kl(latest[1]!)) / 2 : undefined;
    assertEquals(rows[step - 1]!["reference/measured"], mean, `step ${step}`);
    const crosses = mean !== undefined && mean > 0.02;
    assertEquals(rows[step - 1]!["reference/alpha"], crosses ? 1 : 0, `step ${step}`);
    if (crosses) updates.push(lastUpdate = step);
  }
  assert(updates.length >= 2, `updates at ${updates}; KL ${rows.map((_, i) => kl(i + 1).toFixed(4))}`);
});

Deno.test("a prepared run says how often its reference moves: in the epochs it has, or at most", async () => {
  const forecast = async (reference: ReferenceSettings, training = {}) => {
    const run = await prepareRun(await testDevice(), tinyConfig(files, { reference, training }));
    run.model.directory.close();
    return run.referenceForecast;
  };
  // 12 steps of 4 and 3 · 5 of 40 pairs: ten steps an epoch and two.
  const epoch = { update: "epoch", alpha: 1, path: null } as const;
  assertEquals(await forecast(epoch), "1 update in this run");
  assertEquals(await forecast(epoch, { batchSize: 5, accumulate: 3 }), "6 updates in this run");
  const adaptive = { update: "adaptive", measure: "kl", bound: 2, spacing: 1, average: 2, alpha: 1 } as const;
  // The second step after an update is seen four steps later: 6 and 12.
  assertEquals(
    await forecast({ ...adaptive, path: null }),
    "an update whenever KL passes 2 nats, at most 2 in this run",
  );
});
