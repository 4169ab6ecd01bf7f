import { assert, assertEquals } from "@std/assert";
import { combine } from "../../losses/combine.ts";
import { compileLoss } from "../../losses/compile.ts";
import { batchMean, defineLoss, type Loss, record, statistic } from "../../losses/definition.ts";
import { dpo } from "../../losses/dpo.ts";
import {
  add,
  divide,
  exp,
  type Expression,
  log,
  log1mexp,
  minimum,
  multiply,
  softplus,
  square,
  subtract,
} from "../../losses/expression.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { planLoss, recordFields } from "../../losses/plan.ts";
import { sft } from "../../losses/sft.ts";
import { outputNames, type RecordColumns, requestDevice, runOnGpu, runOnHost } from "./gpu_harness.ts";
import { lossVariants } from "./loss_variants.ts";

const device = await requestDevice();
const ignore = device === null;
if (ignore) console.warn("losses on the GPU: not tested, there is no WebGPU adapter");

/** Reads every operator and a curved, attached statistic, over mean log-probs from 0 to about −40. */
const everyOperator = (() => {
  const spread = statistic({
    name: "spread",
    source: "records",
    term: square(divide(record.policyChosen, record.lengthChosen)),
    then: log(add(batchMean, 1)),
    detached: false,
  });
  const chosen = divide(record.policyChosen, record.lengthChosen);
  const rejected = divide(record.policyRejected, record.lengthRejected);
  const unlikely = (logProb: Expression) => multiply(-1, log1mexp(logProb));
  const odds = subtract(unlikely(chosen), unlikely(rejected));
  return defineLoss({
    name: "everyOperator",
    kind: "paired",
    // Three positive addends: sums that cancel would have no relative accuracy to test.
    expression: add(
      add(softplus(odds), multiply(spread.value, exp(minimum(chosen, rejected)))),
      unlikely(chosen),
    ),
    statistics: [spread],
  });
})();

const losses: Record<string, Loss> = {
  "dpo": dpo({ beta: 0.1 }),
  "dpo with label smoothing": dpo({ beta: 1, labelSmoothing: 0.25 }),
  "ipo of sums": ipo({ beta: 0.1, average: "sum" }),
  "ipo of means": ipo({ beta: 0.1, average: "mean" }),
  "kto": kto({ beta: 0.1, desirableWeight: 1.5, undesirableWeight: 0.5 }),
  "ktoPaired": ktoPaired({ beta: 0.1 }),
  "ktoPaired, not detached": ktoPaired({ beta: 0.1, detach: false }),
  "sft": sft(),
  "dpo and half sft": combine([{ loss: dpo({ beta: 0.1 }), weight: 1 }, { loss: sft(), weight: 0.5 }]),
  "two ktoPaired with four statistics": combine([
    { loss: ktoPaired({ beta: 0.2, detach: false }), weight: 2 },
    { loss: ktoPaired({ beta: 0.1 }), weight: 1 },
  ]),
  "every operator": everyOperator,
  ...Object.fromEntries(Object.entries(lossVariants).map(([name, { loss }]) => [name, loss])),
};

/** Losses, gradients or rewards of these pass 0 as sums of larger addends of both signs: no relative accuracy there. */
const cancelling = new Set(["robust", "exoPair", "discopop", "orpo"]);

/** Pseudo-random numbers in [0, 1) (mulberry32). */
function randomNumbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Records whose log-probs are multiples of 1/16 (differences are exact in float32), log-ratios from 0 to ±500 in size,
 * lengths from 1 to 4096.
 */
function randomRecords(count: number): RecordColumns {
  const random = randomNumbers(7);
  const column = (value: () => number) => Float32Array.from({ length: count }, value);
  const sixteenths = (value: number) => Math.round(value * 16) / 16;
  const reference = () => column(() => -sixteenths(1 + random() * 1000));
  const ratio = () => sixteenths((random() - 0.5) * [0, 2, 20, 200, 1000][Math.floor(random() * 5)]!);
  const length = () => column(() => Math.floor(2 ** (12 * random() + 0.01)));
  const [referenceChosen, referenceRejected] = [reference(), reference()];
  const columns = {
    policyChosen: referenceChosen.map((value) => value + ratio()),
    policyRejected: referenceRejected.map((value) => value + ratio()),
    referenceChosen,
    referenceRejected,
    lengthChosen: length(),
    lengthRejected: length(),
    label: column(() => random() < 0.5 ? 0 : 1),
    margin: column(() => sixteenths(4 * random())),
    logWeightChosen: column(() => sixteenths(2 * random() - 1.5)),
    logWeightRejected: column(() => sixteenths(2 * random() - 1.5)),
  };
  return [
    ...recordFields.map((field) => columns[field]),
    column(() => 1 / count),
    column(() => 1 / (64 * count)),
  ];
}

/** The worst error of an output, relative to the larger of its value and `floor`. */
function worstError(actual: Float32Array, expected: Float64Array, floor: number): number {
  return Math.max(...Array.from(expected, (value, index) => {
    const error = Math.abs(actual[index]! - value) / Math.max(Math.abs(value), floor);
    return Number.isNaN(error) ? Infinity : error;
  }));
}

for (const [name, loss] of Object.entries(losses)) {
  Deno.test(
    { name: `WGSL of ${name} agrees with the host over random and extreme records`, ignore },
    async () => {
      const count = 1000;
      const columns = randomRecords(count);
      if (loss === everyOperator || loss.name === "orpo") {
        // log(1 − eˣ) wants x < 0
        [0, 1].forEach((side) =>
          columns[side]!.forEach((value, row) => columns[side]![row] = -Math.abs(value))
        );
      }
      const { wgsl } = compileLoss(loss);
      for (const means of [[3.5, 2.25, 1, 0.5], [-1.5, -30, 4, -1]]) {
        if (loss === everyOperator && means[0]! < 0) continue;
        const actual = await runOnGpu(device!, { wgsl, columns, means });
        const expected = runOnHost(planLoss(loss), { columns, means });
        outputNames.forEach((output, index) => {
          // Shares are 1e-3, so the floor stands for losses and gradients of 1e-3, or of 0.1 next to larger addends;
          // rewards are no shares.
          const cancels = cancelling.has(loss.name);
          const floor = !cancels ? 1e-6 : output.startsWith("value.rewards") ? 0.1 : 1e-4;
          const error = worstError(actual[index]!, expected[index]!, floor);
          // WGSL's exp(x) may be off by 3 + 2 |x| units in the last place; where it makes the margin z of a σ(−z), that
          // grows by z, which is at most 87 before σ vanishes: 87 · (3 + 2 ln 870) · 6e-8.
          assert(error < (/forward KL|alpha/.test(name) ? 9e-5 : 2e-5), `${output}: relative error ${error}`);
        });
      }
    },
  );
}

Deno.test(
  { name: "WGSL of dpo keeps relative accuracy where the loss has nearly vanished", ignore },
  async () => {
    const margins = Float32Array.from({ length: 80 }, (_, index) => index);
    const zeros = new Float32Array(80);
    const columns = recordFields.map((field) => field === "policyChosen" ? margins : zeros).concat([
      zeros.map(() => 1),
      zeros,
    ]);
    const [loss, gradient] = await runOnGpu(device!, {
      wgsl: compileLoss(dpo({ beta: 1 })).wgsl,
      columns,
      means: [],
    });
    // exp alone may be off by 3 + 2 · 80 units in the last place
    assert(worstError(loss!, Float64Array.from(margins, (z) => Math.log1p(Math.exp(-z))), 0) < 1e-5);
    assert(worstError(gradient!, Float64Array.from(margins, (z) => -1 / (1 + Math.exp(z))), 0) < 1e-5);
  },
);

Deno.test({ name: "WGSL of every loss shows a log-prob that is NaN", ignore }, async () => {
  for (const loss of Object.values(losses)) {
    const columns = randomRecords(1);
    columns[0]![0] = NaN;
    const [value] = await runOnGpu(device!, { wgsl: compileLoss(loss).wgsl, columns, means: [1, 1, 1, 1] });
    assert(!Number.isFinite(value![0]!), `${loss.name}: loss ${value![0]}`);
  }
});

Deno.test({ name: "WGSL of kto shows a statistic that is NaN", ignore }, async () => {
  const { wgsl } = compileLoss(kto({ beta: 0.1 }));
  const [value] = await runOnGpu(device!, { wgsl, columns: randomRecords(1), means: [NaN] });
  assertEquals(value![0], NaN);
});

Deno.test({ name: "WGSL of an exponential that float32 cannot hold is finite", ignore }, async () => {
  const loss = defineLoss({
    name: "exponential",
    kind: "paired",
    expression: exp(multiply(-1, record.policyChosen)),
  });
  const columns = randomRecords(1);
  columns[0]![0] = -500;
  const [value] = await runOnGpu(device!, { wgsl: compileLoss(loss).wgsl, columns, means: [] });
  assert(Number.isFinite(value![0]!) && value![0]! > 1e38);
});

globalThis.addEventListener("unload", () => device?.destroy());
