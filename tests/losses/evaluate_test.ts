import { assertThrows } from "@std/assert";
import type { PairedLogProbs, PreferenceLossFunction, UnpairedLogProbs } from "../../losses/batch.ts";
import { batchMean, defineLoss, record, statistic } from "../../losses/definition.ts";
import { dpo, dpoLoss } from "../../losses/dpo.ts";
import { evaluatePaired, evaluateUnpaired } from "../../losses/evaluate.ts";
import { add, exp, multiply, square, subtract, variable } from "../../losses/expression.ts";
import { kto, ktoLoss } from "../../losses/kto.ts";
import { assertClose } from "./assertions.ts";
import { assertPairedGradient, pairs } from "./paired_gradient.ts";

Deno.test("evaluatePaired computes a loss whose statistic is curved and of both completions", () => {
  // mean over pairs of (p_w − s)², s = 0.01 (mean of p_w p_l)²
  const product = statistic({
    name: "product",
    source: "records",
    term: multiply(record.policyChosen, record.policyRejected),
    then: multiply(0.001, square(batchMean)),
    detached: false,
  });
  const loss = defineLoss({
    name: "curved",
    kind: "paired",
    expression: square(subtract(record.policyChosen, product.value)),
    statistics: [product],
  });
  const small = {
    policy: { chosen: [-1, -2, -1.5, -0.5], rejected: [-3, -1, -0.25, -4] },
    reference: pairs.reference,
  };
  const value = ({ policy: { chosen, rejected } }: PairedLogProbs): number => {
    const terms = Array.from(chosen, (p, i) => p * rejected[i]!);
    const s = 0.001 * (terms.reduce((a, b) => a + b) / 4) ** 2;
    return Array.from(chosen, (p) => (p - s) ** 2).reduce((a, b) => a + b) / 4;
  };
  assertClose([evaluatePaired(small, loss).loss], [value(small)]);
  const scaled = ({ policy }: PairedLogProbs): PairedLogProbs => ({ ...small, policy: scale(policy, 0.05) });
  assertPairedGradient(
    (batch) => {
      const result = evaluatePaired(scaled(batch), loss);
      return { ...result, gradients: scale(result.gradients, 0.05) };
    },
    (batch) => value(scaled(batch)),
  );
});

function scale(pair: PairedLogProbs["policy"], factor: number) {
  const [chosen, rejected] = [pair.chosen, pair.rejected].map((values) =>
    Float64Array.from(values, (value) => value * factor)
  );
  return { chosen: chosen!, rejected: rejected! };
}

Deno.test("evaluatePaired accepts Float32Array, Float64Array and plain arrays alike", () => {
  const as = (make: (values: number[]) => PairedLogProbs["policy"]["chosen"]): PairedLogProbs => ({
    policy: { chosen: make([-1.5, -2]), rejected: make([-3, -4.25]) },
    reference: { chosen: make([-1, -2]), rejected: make([-3, -4]) },
  });
  const expected = dpoLoss(as((values) => values), { beta: 0.1 }).loss;
  assertClose([dpoLoss(as((values) => Float32Array.from(values)), { beta: 0.1 }).loss], [expected]);
  assertClose([dpoLoss(as((values) => Float64Array.from(values)), { beta: 0.1 }).loss], [expected]);
});

Deno.test("dpoLoss with its options given is a PreferenceLossFunction", () => {
  const loss: PreferenceLossFunction = (batch) => dpoLoss(batch, { beta: 0.1 });
  assertClose([loss(pairs).loss], [dpoLoss(pairs, { beta: 0.1 }).loss]);
});

Deno.test("evaluatePaired names the array whose length differs", () => {
  const reference = { chosen: [-1, -2], rejected: [-1, -2, -3, -4] };
  assertThrows(
    () => dpoLoss({ ...pairs, reference }, { beta: 0.1 }),
    RangeError,
    "dpo: policy.chosen has 4 numbers and reference.chosen has 2",
  );
});

Deno.test("evaluatePaired names the record whose log-prob is not finite", () => {
  for (const bad of [NaN, -Infinity, Infinity]) {
    const policy = { chosen: pairs.policy.chosen, rejected: [-1, -2, bad, -4] };
    assertThrows(
      () => dpoLoss({ ...pairs, policy }, { beta: 0.1 }),
      RangeError,
      `policy.rejected[2] is ${bad}`,
    );
  }
});

Deno.test("evaluatePaired rejects lengths that count no tokens", () => {
  const lengths = { chosen: [1, 2, 3, 4], rejected: [1, 0, 3, 4] };
  assertThrows(() => dpoLoss({ ...pairs, lengths }, { beta: 0.1 }), RangeError, "lengths.rejected[1] is 0");
});

Deno.test("evaluatePaired rejects an empty batch", () => {
  const none = { chosen: [], rejected: [] };
  assertThrows(() => dpoLoss({ policy: none, reference: none }, { beta: 0.1 }), RangeError, "batch is empty");
});

Deno.test("evaluateUnpaired names the mismatched log-prob that is not finite", () => {
  const batch: UnpairedLogProbs = {
    policy: { completion: [-1, -2] },
    reference: { completion: [-1, -2] },
    labels: [0, 1],
    mismatched: { policy: [-1, -2], reference: [-1, NaN] },
  };
  assertThrows(() => ktoLoss(batch, { beta: 0.1 }), RangeError, "kto: mismatched.reference[1] is NaN");
});

Deno.test("evaluatePaired and evaluateUnpaired reject losses for the other kind of records", () => {
  assertThrows(() => evaluatePaired(pairs, kto({ beta: 0.1 })), Error, "call evaluateUnpaired");
  const batch = { policy: { completion: [-1] }, reference: { completion: [-1] }, labels: [1] };
  assertThrows(() => evaluateUnpaired(batch, dpo({ beta: 0.1 })), Error, "call evaluatePaired");
});

Deno.test("evaluatePaired rejects a formula over variables that its records don't have", () => {
  const paired = (expression: ReturnType<typeof add>) =>
    defineLoss({ name: "mine", kind: "paired", expression });
  assertThrows(() => evaluatePaired(pairs, paired(exp(record.label))), Error, "mine: reads label");
  assertThrows(
    () => evaluatePaired(pairs, paired(exp(variable("temperature")))),
    Error,
    "mine: reads temperature",
  );
});

Deno.test("evaluatePaired rejects more statistics than fit a vector", () => {
  const statistics = Array.from({ length: 5 }, (_, index) =>
    statistic({
      name: `s${index}`,
      source: "records",
      term: record.policyChosen,
      then: batchMean,
      detached: true,
    }));
  const expression = statistics.map(({ value }) => value).reduce<ReturnType<typeof add>>(
    (a, b) => add(a, b),
    record.policyChosen,
  );
  assertThrows(
    () => evaluatePaired(pairs, defineLoss({ name: "mine", kind: "paired", expression, statistics })),
    RangeError,
    "mine: 5 batch-wide statistics, at most 4 fit",
  );
});

Deno.test("statistic over mismatched sequences must be detached", () => {
  const parts = { name: "z", source: "mismatched", term: record.policyChosen, then: batchMean } as const;
  assertThrows(() => statistic({ ...parts, detached: false }), Error, "must be detached");
});
