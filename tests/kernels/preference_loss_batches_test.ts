/**
 * Every loss over pairs, in batches of many sizes: one program a loss, against the losses' own evaluation in
 * float64.
 */
import { assert } from "@std/assert";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { preferenceLoss } from "../../kernels/preference_loss.ts";
import { compile } from "../../kernels/program.ts";
import { aot, aotUnpaired } from "../../losses/aot.ts";
import { combine } from "../../losses/combine.ts";
import { compileLoss } from "../../losses/compile.ts";
import type { Loss } from "../../losses/definition.ts";
import { dpo } from "../../losses/dpo.ts";
import { evaluatePaired } from "../../losses/evaluate.ts";
import { ipo } from "../../losses/ipo.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { sft } from "../../losses/sft.ts";
import { wpo } from "../../losses/wpo.ts";
import { lossVariants } from "../losses/loss_variants.ts";
import { assertClose, randomValues, testDevice, watchGradient } from "./harness.ts";

const SIZES = [1, 2, 3, 64, 257];
const ROOM = 257;

const losses: Record<string, Loss> = {
  "dpo": dpo({ beta: 0.1 }),
  "ipo of sums": ipo({ beta: 0.1, average: "sum" }),
  "ipo of means": ipo({ beta: 0.1, average: "mean" }),
  "ktoPaired": ktoPaired({ beta: 0.1 }),
  "ktoPaired, not detached": ktoPaired({ beta: 0.1, detach: false }),
  "sft": sft(),
  "both sorted losses, and a statistic and weights beside them": combine([
    { loss: aot({ beta: 0.1 }), weight: 1 },
    { loss: aotUnpaired({ beta: 0.2 }), weight: 0.5 },
    { loss: ktoPaired({ beta: 0.1, detach: false }), weight: 2 },
    { loss: wpo(dpo({ beta: 0.1 })), weight: 1 },
  ]),
  ...Object.fromEntries(Object.entries(lossVariants).map(([name, { loss }]) => [name, loss])),
};

/** Numbers of a batch, one a sequence; chosen and rejected by turns. */
interface Numbers {
  policy: Float32Array;
  reference: Float32Array;
  lengths: Float32Array;
  logWeights: Float32Array;
  margins: Float32Array;
}

/**
 * Log-ratios up to ±500 and equal ones, lengths 1 and 4096 among others; multiples of 1/16, whose differences
 * are exact in float32. Policies are below −1/16, where log(1 − eˣ) is far from its limit.
 */
function numbers(records: number): Numbers {
  const uniform = (seed: number) => randomValues(2 * records, { seed });
  const [scales, ratios, references, lengths, weights] = [1, 2, 3, 4, 5].map((k) =>
    uniform(k * 31 + records)
  );
  const sixteenths = (value: number) => Math.round(value * 16) / 16;
  const ratio = Float32Array.from(ratios!, (value, i) => {
    const scale = [0, 2, 20, 200, 500][Math.floor((scales![i]! + 1) * 2.5)]!;
    return i === 0 ? 500 : i === 1 ? -500 : sixteenths(scale * value);
  });
  const reference = references!.map((value) => -sixteenths(501 + 250 * (value + 1)));
  const length = lengths!.map((value, i) => [1, 4096][i] ?? Math.floor(2 ** (6 * (value + 1))));
  return {
    policy: reference.map((value, i) => value + ratio[i]!),
    reference,
    lengths: length,
    logWeights: weights!.map((value, i) => sixteenths(value - 0.5) * length[i]!),
    margins: weights!.filter((_, i) => i % 2 === 0).map((value) => sixteenths(4 * value)),
  };
}

function split(values: ArrayLike<number>) {
  const all = Array.from(values);
  return { chosen: all.filter((_, i) => i % 2 === 0), rejected: all.filter((_, i) => i % 2 === 1) };
}

function host({ policy, reference, lengths, logWeights, margins }: Numbers, loss: Loss) {
  return evaluatePaired({
    policy: split(policy),
    reference: split(reference),
    lengths: split(lengths),
    logWeights: split(logWeights.map((sum, i) => sum / lengths[i]!)),
    margins,
  }, loss);
}

Deno.test("preferenceLoss of every loss over pairs is the host's, for 1, 2, 3, 64 and 257 of them", async () => {
  const device = await testDevice();
  const graphs = Object.entries(losses).map(([, loss]) => {
    const graph = createGraph(device);
    const sequences = (name: string) => input(graph, name, { shape: [2 * ROOM] });
    const policy = sequences("policy");
    watchGradient(graph, policy, "gradient");
    const formula = compileLoss(loss);
    const shares = preferenceLoss(graph, policy, {
      formula,
      sequencesPerRecord: 2,
      lengths: sequences("lengths"),
      labels: input(graph, "margins", { shape: [ROOM] }),
      shares: input(graph, "shares", { shape: [4] }),
      ...(formula.needs.reference ? { reference: sequences("reference") } : {}),
      ...(formula.needs.logWeights ? { logWeights: sequences("logWeights") } : {}),
    });
    backward(graph, new Map([[shares, shares]]));
    output(graph, "losses", shares);
    // WebGPU promises no more in one kernel.
    for (const { bindings } of graph.dispatches) assert(bindings.length <= 8, `${bindings.length} buffers`);
    return graph;
  });
  const programs = await compile(device, { graphs });
  for (const records of SIZES) {
    const given = numbers(records);
    for (const [k, [name, loss]] of Object.entries(losses).entries()) {
      const program = programs[k]!;
      for (const [key, values] of Object.entries(given)) program.inputs[key]?.fill(NaN).set(values);
      const { chosen } = split(given.lengths);
      const tokens = chosen.reduce((sum, length) => sum + length, 0);
      program.inputs.shares!.set([1 / records, 1 / tokens, records, 0]);
      const { losses: actual, gradient } = await program.run().read();
      const expected = host(given, loss);
      const what = `${name}, ${records} pairs`;
      // Log-ratios are exact, and exponents up to 40 multiply float32's rounding of 6e-8.
      const tolerance = 5e-6;
      const perRecord = Array.from(expected.losses, (value) => value / records);
      assertClose(actual!.subarray(0, records), perRecord, { tolerance, what: `losses of ${what}` });
      const { chosen: byChosen, rejected: byRejected } = expected.gradients;
      const byPolicy = Array.from(byChosen).flatMap((value, i) => [value, byRejected[i]!]);
      assertClose(gradient!.subarray(0, 2 * records), byPolicy, { tolerance, what: `gradient of ${what}` });
      assert(actual!.subarray(records).every((value) => value === 0), `padding of ${what}`);
    }
  }
});
