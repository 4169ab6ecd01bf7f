/** The loss kernels against the losses' own evaluation in float64 on the host, which tests/losses holds against PyTorch. */
import { assertEquals, assertThrows } from "@std/assert";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { mismatchedTerms, preferenceLoss } from "../../kernels/preference_loss.ts";
import { combine } from "../../losses/combine.ts";
import { compileLoss } from "../../losses/compile.ts";
import type { Loss } from "../../losses/definition.ts";
import { dpo } from "../../losses/dpo.ts";
import { evaluatePaired, evaluateUnpaired } from "../../losses/evaluate.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { sft } from "../../losses/sft.ts";
import {
  assertClose,
  filled,
  filledInput,
  randomValues,
  runOnce,
  testDevice,
  watchGradient,
  zeros,
} from "./harness.ts";

const device = await testDevice();
const beta = 0.1;

/** Log-ratios are differences of numbers near −50 in float32; through β and a sigmoid that is about 1e-6. */
const TOLERANCE = 5e-6;

interface Sequences {
  policy: Float32Array<ArrayBuffer>;
  reference: Float32Array<ArrayBuffer>;
  lengths: Float32Array<ArrayBuffer>;
}

/** Log-probs near −50 whose ratios are a few units either way, and lengths of 1 to 20. */
function randomSequences(count: number, seed: number): Sequences {
  const policy = randomValues(count, { seed, scale: 8 }).map((value) => value - 50);
  const ratios = randomValues(count, { seed: seed + 1, scale: 6 });
  return {
    policy,
    reference: policy.map((value, i) => value - ratios[i]!),
    lengths: randomValues(count, { seed: seed + 2 }).map((value) => Math.floor(10.5 + 9.5 * value) + 1),
  };
}

/** The same with numbers after the used ones that would spoil every sum they got into. */
function padded(sequences: Sequences, count: number): Sequences {
  const pad = (values: Float32Array) =>
    Float32Array.from({ length: count }, (_, i) => values[i] ?? (i % 2 === 0 ? 1e30 : NaN));
  return {
    policy: pad(sequences.policy),
    reference: pad(sequences.reference),
    lengths: pad(sequences.lengths),
  };
}

/** Runs the loss kernel over room for `capacity` records, of which the given are used. */
async function runLoss(loss: Loss, options: {
  sequences: Sequences;
  sequencesPerRecord: 1 | 2;
  records: number;
  capacity: number;
  labels?: ArrayLike<number>;
  shares: readonly [number, number];
  mismatched?: { sequences: Sequences; records: number };
}): Promise<{ losses: Float32Array; gradient: Float32Array }> {
  const { sequencesPerRecord, records, capacity, labels = [], shares, mismatched } = options;
  const formula = compileLoss(loss);
  const graph = createGraph(device);
  const upload = (prefix: string, sequences: Sequences) => {
    const tensor = (name: keyof Sequences) =>
      filledInput(graph, `${prefix}${name}`, {
        values: sequences[name],
        shape: [sequences[name].length],
        dtype: "f32",
      });
    return { policy: tensor("policy"), reference: tensor("reference"), lengths: tensor("lengths") };
  };
  const { policy, reference, lengths } = upload("", padded(options.sequences, capacity * sequencesPerRecord));
  watchGradient(graph, policy, "gradient");
  const sums = filled(device, new Float32Array(4), { shape: [4] });
  if (mismatched !== undefined) {
    const room = mismatched.sequences.policy.length + 3;
    const { policy, ...rest } = upload("mismatched ", padded(mismatched.sequences, room));
    const values = [0, 0, mismatched.records, 0];
    mismatchedTerms(graph, policy, {
      formula,
      ...rest,
      shares: filledInput(graph, "mismatched shares", { values, shape: [4], dtype: "f32" }),
      into: sums,
    });
  }
  const share = mismatched === undefined ? 0 : 1 / mismatched.records;
  const losses = preferenceLoss(graph, policy, {
    formula,
    sequencesPerRecord,
    lengths,
    labels: filledInput(graph, "labels", { values: labels, shape: [capacity], dtype: "f32" }),
    shares: filledInput(graph, "shares", { values: [...shares, records, share], shape: [4], dtype: "f32" }),
    ...(formula.needs.reference ? { reference } : {}),
    ...(mismatched === undefined ? {} : { mismatched: sums }),
  });
  backward(graph, new Map([[losses, losses]]));
  output(graph, "losses", losses);
  return await runOnce(graph) as { losses: Float32Array; gradient: Float32Array };
}

const even = (values: ArrayLike<number>) => Float64Array.from(values).filter((_, i) => i % 2 === 0);
const odd = (values: ArrayLike<number>) => Float64Array.from(values).filter((_, i) => i % 2 === 1);
const interleave = (first: ArrayLike<number>, second: ArrayLike<number>) =>
  Array.from(first).flatMap((value, i) => [value, second[i]!]);
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);
const zerosAfter = (values: ArrayLike<number>, count: number) =>
  Float64Array.from({ length: count }, (_, i) => values[i] ?? 0);

const pairs = (values: ArrayLike<number>) => ({ chosen: even(values), rejected: odd(values) });

const pairedLosses: Record<string, Loss> = {
  "dpo": dpo({ beta }),
  "dpo with smoothed labels": dpo({ beta, labelSmoothing: 0.2 }),
  "ipo of sums": ipo({ beta, average: "sum" }),
  "ipo of means": ipo({ beta, average: "mean" }),
  "ktoPaired": ktoPaired({ beta }),
  "ktoPaired with gradient through z": ktoPaired({ beta, detach: false }),
  "sft": sft(),
  "dpo + ½ sft": combine([{ loss: dpo({ beta }), weight: 1 }, { loss: sft(), weight: 0.5 }]),
};

for (const [name, loss] of Object.entries(pairedLosses)) {
  Deno.test(`preferenceLoss of ${name} and its gradient are the host's, with as many records as fit and with fewer`, async () => {
    // 3 of 5 records: some threads idle. 70 of 71: more records than threads.
    for (const [records, capacity] of [[5, 5], [3, 5], [70, 71]] as const) {
      const sequences = randomSequences(2 * records, 7 * records);
      const expected = evaluatePaired({
        policy: pairs(sequences.policy),
        reference: pairs(sequences.reference),
        lengths: pairs(sequences.lengths),
      }, loss);
      const shares = [1 / records, 1 / sum(even(sequences.lengths))] as const;
      const { losses, gradient } = await runLoss(loss, {
        sequences,
        sequencesPerRecord: 2,
        records,
        capacity,
        shares,
      });
      const perRecord = expected.losses.map((value) => value / records);
      assertClose(losses, zerosAfter(perRecord, capacity), { tolerance: TOLERANCE, what: "losses" });
      const byPolicy = interleave(expected.gradients.chosen, expected.gradients.rejected);
      assertClose(gradient, zerosAfter(byPolicy, 2 * capacity), { tolerance: TOLERANCE, what: "gradient" });
    }
  });
}

for (const lift of [3, -9]) {
  const clamped = lift < 0 ? ", clamped at 0" : "";
  Deno.test(`preferenceLoss of kto takes z₀ from mismatched sequences${clamped}, with 1 sequence a record`, async () => {
    for (const [records, capacity] of [[4, 4], [3, 5], [70, 70]] as const) {
      const sequences = randomSequences(records, 11 * records);
      const mismatched = randomSequences(records, 13 * records);
      mismatched.policy.forEach((value, i) => mismatched.policy[i] = value + lift);
      const labels = Array.from({ length: capacity }, (_, i) => i % 3 === 0 ? 0 : 1);
      const loss = kto({ beta, desirableWeight: 1.5, undesirableWeight: 0.75 });
      const expected = evaluateUnpaired({
        policy: { completion: sequences.policy },
        reference: { completion: sequences.reference },
        labels: labels.slice(0, records),
        mismatched,
      }, loss);
      assertEquals(expected.statistics.z0 === 0, lift < 0);
      const { losses, gradient } = await runLoss(loss, {
        sequences,
        sequencesPerRecord: 1,
        records,
        capacity,
        labels,
        shares: [1 / records, 0],
        mismatched: { sequences: mismatched, records },
      });
      const perRecord = expected.losses.map((value) => value / records);
      assertClose(losses, zerosAfter(perRecord, capacity), { tolerance: TOLERANCE, what: "losses" });
      assertClose(gradient, zerosAfter(expected.gradients.completion, capacity), {
        tolerance: TOLERANCE,
        what: "gradient",
      });
    }
  });
}

Deno.test("preferenceLoss of sft takes records of one sequence", async () => {
  const sequences = randomSequences(3, 5);
  const tokens = sum(sequences.lengths);
  const { losses, gradient } = await runLoss(sft(), {
    sequences,
    sequencesPerRecord: 1,
    records: 3,
    capacity: 4,
    shares: [1 / 3, 1 / tokens],
  });
  const expected = sequences.policy.map((value) => -value / tokens);
  assertClose(losses, zerosAfter(expected, 4), { tolerance: 1e-6, what: "losses" });
  assertClose(gradient, zerosAfter(Array(3).fill(-1 / tokens), 4), { tolerance: 1e-6, what: "gradient" });
});

Deno.test("preferenceLoss of two micro-batches with the step's shares adds up to the loss of both", async () => {
  const loss = pairedLosses["dpo + ½ sft"]!;
  const all = randomSequences(14, 3);
  const part = (from: number, to: number): Sequences => ({
    policy: all.policy.slice(from, to),
    reference: all.reference.slice(from, to),
    lengths: all.lengths.slice(from, to),
  });
  const shares = [1 / 7, 1 / sum(even(all.lengths))] as const;
  const run = (sequences: Sequences) => {
    const records = sequences.policy.length / 2;
    return runLoss(loss, { sequences, sequencesPerRecord: 2, records, capacity: 4, shares });
  };
  const first = await run(part(0, 8)), second = await run(part(8, 14));
  const expected = evaluatePaired({
    policy: pairs(all.policy),
    reference: pairs(all.reference),
    lengths: pairs(all.lengths),
  }, loss);
  assertClose([sum(first.losses) + sum(second.losses)], [expected.loss], {
    tolerance: TOLERANCE,
    what: "loss",
  });
  const byPolicy = interleave(expected.gradients.chosen, expected.gradients.rejected);
  assertClose([...first.gradient, ...second.gradient.subarray(0, 6)], byPolicy, {
    tolerance: TOLERANCE,
    what: "gradient",
  });
});

Deno.test("mismatchedTerms adds to the sums of earlier micro-batches", async () => {
  const formula = compileLoss(kto({ beta }));
  const before = [1, 0, 0, 0];
  const into = filled(device, Float32Array.from(before), { shape: [4] });
  const graph = createGraph(device);
  const tensor = (name: string, values: number[]) =>
    filledInput(graph, name, { values, shape: [values.length], dtype: "f32" });
  mismatchedTerms(graph, tensor("policy", [-10, -20, -30, 1e30]), {
    formula,
    reference: tensor("reference", [-12, -19, -34, 1]),
    lengths: tensor("lengths", [1, 1, 1, 1]),
    shares: tensor("shares", [0, 0, 3, 0]),
    into,
  });
  output(graph, "into", into);
  const { into: sums } = await runOnce(graph);
  assertEquals(sums![0], 1 + 2 - 1 + 4);
});

Deno.test("preferenceLoss says what doesn't fit or is missing", () => {
  const graph = createGraph(device);
  const tensor = (size: number) => zeros(device, [size]);
  const shared = { lengths: tensor(6), shares: tensor(4), labels: tensor(2) };
  assertThrows(
    () =>
      preferenceLoss(graph, tensor(6), {
        formula: compileLoss(dpo({ beta })),
        sequencesPerRecord: 2,
        ...shared,
      }),
    RangeError,
    "preferenceLoss: 6 sequences for 2 records of 2",
  );
  assertThrows(
    () =>
      preferenceLoss(graph, input(graph, "policy", { shape: [2] }), {
        formula: compileLoss(kto({ beta })),
        sequencesPerRecord: 1,
        ...shared,
      }),
    Error,
    "preferenceLoss: kto needs the statistics of mismatched sequences",
  );
});
