import { assertThrows } from "@std/assert";
import { compileLoss } from "../../losses/compile.ts";
import { dpo } from "../../losses/dpo.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { checkFinite, checkFirstStep } from "../../training/checks.ts";
import type { BatchLogProbs } from "../../training/metrics.ts";

const example = (line: number) => ({ line, label: 1, prompt: [1], completions: [[2], [3]] });
const examples = [11, 22, 33].map(example);
const batch: BatchLogProbs = {
  policy: Float32Array.of(-1, -2, -3, -4, -5, -6),
  reference: Float32Array.of(-1, -2, -3, -4, -5, -6),
  lengths: new Float32Array(6).fill(1),
  labels: Float32Array.of(1, 1, 1),
};
const step = { step: 7, examples, losses: [0.1, 0.2, 0.3], batch, norm: 1 };
const withValue = (values: Float32Array, at: number, value: number) => values.with(at, value);

Deno.test("checkFinite is content with finite numbers", () => {
  checkFinite(step);
  const { reference: _, ...alone } = batch;
  checkFinite({ ...step, batch: alone });
});

for (const value of [NaN, Infinity, -Infinity]) {
  Deno.test(`checkFinite names the step and the lines of records with ${value}`, () => {
    assertThrows(
      () => checkFinite({ ...step, losses: [0.1, value, 0.3] }),
      Error,
      "Step 7: the loss is not finite for the record on line 22. The step was not applied.",
    );
    assertThrows(
      () => checkFinite({ ...step, batch: { ...batch, policy: withValue(batch.policy, 5, value) } }),
      Error,
      "for the record on line 33.",
    );
    assertThrows(
      () => checkFinite({ ...step, batch: { ...batch, reference: withValue(batch.reference!, 0, value) } }),
      Error,
      "for the record on line 11.",
    );
    assertThrows(
      () => checkFinite({ ...step, norm: value }),
      Error,
      `Step 7: the gradient is not finite (norm ${value}) though the losses of the records on lines 11, 22, 33 are.`,
    );
  });
}

Deno.test("checkFinite names the record where it begins, where a statistic spreads it over all", () => {
  assertThrows(
    () =>
      checkFinite({
        ...step,
        losses: [NaN, NaN, NaN],
        batch: { ...batch, policy: withValue(batch.policy, 2, NaN) },
      }),
    Error,
    "Step 7: the loss is not finite for the record on line 22.",
  );
});

Deno.test("checkFinite names five records at most and counts the others", () => {
  const many = Array.from({ length: 8 }, (_, i) => example(i + 1));
  const policy = new Float32Array(16).fill(NaN);
  assertThrows(
    () =>
      checkFinite({
        step: 1,
        examples: many,
        losses: Array(8).fill(0),
        batch: { ...batch, policy },
        norm: 1,
      }),
    Error,
    "for the records on lines 1, 2, 3, 4, 5 and 3 more.",
  );
});

Deno.test("checkFinite names a line once, where a pair has become two completions", () => {
  const twice = [5, 5, 6].map((line) => ({ ...example(line), completions: [[2]] }));
  const unpaired = {
    ...batch,
    policy: Float32Array.of(NaN, NaN, -1),
    reference: Float32Array.of(-1, -1, -1),
  };
  assertThrows(
    () => checkFinite({ ...step, examples: twice, batch: unpaired }),
    Error,
    "for the record on line 5.",
  );
});

const first = { batch, sequencesPerRecord: 2, examples } as const;
const expectedFirst = [
  ["dpo", dpo({ beta: 0.1 }), Math.LN2],
  ["dpo with label smoothing", dpo({ beta: 0.1, labelSmoothing: 0.2 }), Math.LN2],
  ["ipo by sums", ipo({ beta: 0.1, average: "sum" }), 25], // 1 / (4 · 0.1²)
  ["ipo by means", ipo({ beta: 0.5, average: "mean" }), 1],
] as const;
for (const [name, loss, total] of expectedFirst) {
  Deno.test(`checkFirstStep wants ${total.toFixed(3)} of ${name}, to rounding`, () => {
    checkFirstStep({ ...first, loss: compileLoss(loss), total });
    checkFirstStep({ ...first, loss: compileLoss(loss), total: total * 1.0005 });
    assertThrows(
      () => checkFirstStep({ ...first, loss: compileLoss(loss), total: total * 1.002 }),
      Error,
      "The first loss is",
    );
  });
}

Deno.test("checkFirstStep wants half of the weight of kto, whose z0 is 0 then", () => {
  const loss = compileLoss(kto({ beta: 0.1 }));
  const mismatched = { policy: Float32Array.of(-9, -8, -7), reference: Float32Array.of(-9, -8, -7) };
  const unpaired = {
    loss,
    sequencesPerRecord: 1 as const,
    examples,
    batch: {
      policy: Float32Array.of(-1, -2, -3),
      reference: Float32Array.of(-1, -2, -3),
      lengths: Float32Array.of(1, 1, 1),
      labels: Float32Array.of(1, 0, 1),
      mismatched,
    },
  };
  checkFirstStep({ ...unpaired, total: 0.5 });
  assertThrows(() => checkFirstStep({ ...unpaired, total: 0.51 }), Error, "it must be 0.5.");
});

Deno.test("checkFirstStep names the record whose log-probs differ most", () => {
  const reference = Float32Array.of(-1, -2.25, -3, -4, -5, -8.5);
  assertThrows(
    () =>
      checkFirstStep({
        ...first,
        loss: compileLoss(dpo({ beta: 0.1 })),
        batch: { ...batch, reference },
        total: 0.6,
      }),
    Error,
    "the record on line 33: -6 under the policy, -8.5 under the reference.",
  );
});

Deno.test("checkFirstStep has nothing to say of a loss without a reference", () => {
  const { reference: _, ...alone } = batch;
  checkFirstStep({ ...first, loss: compileLoss(dpo({ beta: 0.1 })), batch: alone, total: 5 });
});

Deno.test("checkFinite and checkFirstStep name the files where a run has several", () => {
  const files = ["a.jsonl", "a.jsonl", "b.jsonl"];
  const several = examples.map((example, i) => ({ ...example, file: files[i]! }));
  assertThrows(
    () => checkFinite({ ...step, examples: several, losses: [NaN, 0.2, NaN] }),
    Error,
    "Step 7: the loss is not finite for the records at a.jsonl:11, b.jsonl:33.",
  );
  assertThrows(
    () =>
      checkFirstStep({
        loss: compileLoss(dpo({ beta: 0.1 })),
        batch: { ...batch, reference: withValue(batch.reference!, 5, -60) },
        total: 5,
        sequencesPerRecord: 2,
        examples: several,
      }),
    Error,
    "differ most for the record at b.jsonl:33: -6 under the policy, -60 under the reference",
  );
});
