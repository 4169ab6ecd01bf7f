import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { PreferenceLossFunction, PreferenceLossFunctionResult } from "../../losses/batch.ts";
import { compileLoss } from "../../losses/compile.ts";
import { dpo, dpoLoss } from "../../losses/dpo.ts";
import { kto } from "../../losses/kto.ts";
import { sft } from "../../losses/sft.ts";
import { type BatchLogProbs, evaluateLoss, type Metrics, preferenceMetrics } from "../../training/metrics.ts";

const beta = 0.1;
const pairs: BatchLogProbs = {
  policy: Float32Array.of(-10, -12, -20, -15, -8, -8.5), // chosen, rejected, chosen, …
  reference: Float32Array.of(-11, -11, -20, -15, -9, -7),
  initial: Float32Array.of(-9, -13, -22, -14, -8, -8.5),
  referenceDivergence: Float32Array.of(0.5, 0.25, 0, 0, 1, 0.5),
  initialDivergence: Float32Array.of(1, 2, 0.5, 0.25, 0, 0.75),
  lengths: Float32Array.of(4, 5, 6, 3, 2, 7),
  labels: Float32Array.of(1, 1, 1),
};

function assertMetrics(actual: Metrics, expected: Metrics): void {
  assertEquals(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) assertAlmostEquals(actual[name]!, value, 1e-12, name);
}

// The expected numbers are NumPy's, from the formulas written out.
Deno.test("preferenceMetrics of pairs: against the reference and the initial one, accuracies strict", () => {
  assertMetrics(preferenceMetrics(compileLoss(dpo({ beta })), pairs, { sequencesPerRecord: 2 }), {
    "rewards/chosen": 0.06666666666666667,
    "rewards/rejected": -0.08333333333333333,
    "rewards/margins": 0.15,
    "rewards/accuracies": 2 / 3, // the second pair's margin is 0, which is no win
    "rewards_initial/chosen": 0.03333333333333333,
    "rewards_initial/rejected": 0,
    "rewards_initial/margins": 0.03333333333333333,
    "rewards_initial/accuracies": 1 / 3,
    "logps/chosen": -12.666666666666666,
    "logps/rejected": -11.833333333333334,
    "kl/reference": 0.375,
    "kl/initial": 0.75,
    "curvature": 0.2478835518164861,
    "length/chosen": 4,
    "length/rejected": 5,
  });
});

Deno.test("preferenceMetrics leaves out what was not measured", () => {
  const { initial: _, initialDivergence: __, ...batch } = pairs;
  const metrics = preferenceMetrics(compileLoss(dpo({ beta })), batch, { sequencesPerRecord: 2 });
  assertEquals(Object.keys(metrics).filter((name) => name.includes("initial")), []);
  assertAlmostEquals(metrics["kl/reference"]!, 0.375, 1e-12);
});

Deno.test("preferenceMetrics of a user's own loss are those of the same configured loss", () => {
  const own = preferenceMetrics((batch) => dpoLoss(batch, { beta }), pairs, { sequencesPerRecord: 2 });
  assertMetrics(own, preferenceMetrics(compileLoss(dpo({ beta })), pairs, { sequencesPerRecord: 2 }));
});

const completions: BatchLogProbs = {
  policy: Float32Array.of(-10, -20, -30, -5),
  reference: Float32Array.of(-12, -19, -31, -5),
  referenceDivergence: Float32Array.of(1, 0.5, 0.25, 0.25),
  lengths: Float32Array.of(4, 6, 9, 1),
  labels: Float32Array.of(1, 0, 1, 0),
  mismatched: { policy: Float32Array.of(-7, -8, -9, -9), reference: Float32Array.of(-9, -9, -9, -10) },
};

Deno.test("preferenceMetrics of labelled completions compare desirable with undesirable ones as groups", () => {
  const metrics = preferenceMetrics(compileLoss(kto({ beta })), completions, { sequencesPerRecord: 1 });
  const z = 1; // mean of 2, 1, 0, 1
  const curvatures = [2, -1, 1, 0].map((u) => 1 / (2 + 2 * Math.cosh(beta * (u - z)))); // σ(x) σ(−x)
  assertMetrics(metrics, {
    "rewards/chosen": 0.15, // β (2 + 1) / 2
    "rewards/rejected": -0.05, // β (−1 + 0) / 2
    "rewards/margins": 0.2,
    "logps/chosen": -20,
    "logps/rejected": -12.5,
    "kl/reference": 0.5,
    "curvature": curvatures.reduce((sum, value) => sum + value) / 4,
    "z0": z,
    "length/chosen": 6.5,
    "length/rejected": 3.5,
  });
});

for (const [label, present, absent] of [[1, "chosen", "rejected"], [0, "rejected", "chosen"]] as const) {
  Deno.test(`preferenceMetrics of completions that are all ${present} say nothing of ${absent} ones`, () => {
    const batch = { ...completions, labels: new Float32Array(4).fill(label) };
    const metrics = preferenceMetrics(compileLoss(kto({ beta })), batch, { sequencesPerRecord: 1 });
    assertAlmostEquals(metrics[`rewards/${present}`]!, 0.05, 1e-12); // β (2 − 1 + 1 + 0) / 4
    assertEquals(metrics[`logps/${present}`], -16.25);
    assertEquals(metrics[`length/${present}`], 5);
    assertEquals(Object.keys(metrics).filter((name) => /margins|accuracies/.test(name)), []);
    assertEquals(Object.keys(metrics).filter((name) => name.endsWith(`/${absent}`)), []);
    assertEquals(Object.values(metrics).filter((value) => !Number.isFinite(value)), []);
  });
}

Deno.test("preferenceMetrics of demonstrations: log-probs and lengths", () => {
  const { policy, lengths } = completions;
  const batch = { policy, lengths, labels: Float32Array.of(1, 1, 1, 1) };
  const metrics = preferenceMetrics(compileLoss(sft()), batch, { sequencesPerRecord: 1 });
  assertMetrics(metrics, { "logps/chosen": -16.25, "length/chosen": 5 });
});

Deno.test("evaluateLoss averages cross-entropy over tokens, not records", () => {
  const { policy, lengths } = completions;
  const batch = { policy, lengths, labels: Float32Array.of(1, 1, 1, 1) };
  const { loss } = evaluateLoss(compileLoss(sft()), batch, { sequencesPerRecord: 1, against: undefined });
  assertAlmostEquals(loss, 65 / 20, 1e-12);
});

Deno.test("evaluateLoss says which array of a user's own loss has not one number a pair", () => {
  const short = [1, 2];
  const mistakes: Record<string, Partial<PreferenceLossFunctionResult>> = {
    "losses": { losses: short },
    "rewards.rejected": { rewards: { chosen: [1, 2, 3], rejected: short } },
    "gradients.chosen": { gradients: { chosen: short, rejected: [1, 2, 3] } },
  };
  for (const [name, mistake] of Object.entries(mistakes)) {
    const own: PreferenceLossFunction = (batch) => ({ ...dpoLoss(batch, { beta }), ...mistake });
    assertThrows(
      () => evaluateLoss(own, pairs, { sequencesPerRecord: 2, against: pairs.reference }),
      Error,
      `The loss function returned 2 ${name} for 3 pairs; return one number a pair`,
    );
  }
});
