/** The reference on the device follows its strategy exactly, and the metrics show it. */
import { assert, assertEquals } from "@std/assert";
import { mixReference } from "../../reference/mix.ts";
import type { ReferenceSettings } from "../../training/reference_settings.ts";
import { trainSteps } from "../../training/loop.ts";
import type { Metrics } from "../../training/metrics.ts";
import { loadWeights, prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { assertSame, loopOptions, readSet, tinyConfig, tinyFiles } from "./tiny_run.ts";

const files = await tinyFiles();

/** The three policies, and the metrics of the step that led to them. */
interface Moment {
  policy: Float32Array<ArrayBuffer>;
  reference: Float32Array<ArrayBuffer>;
  initial: Float32Array<ArrayBuffer>;
  row: Metrics;
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
