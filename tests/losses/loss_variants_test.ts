import { assert, assertEquals, assertThrows } from "@std/assert";
import { apoDown } from "../../losses/apo_down.ts";
import { apoZero } from "../../losses/apo_zero.ts";
import type { PairedLogProbs } from "../../losses/batch.ts";
import { bcoPair } from "../../losses/bco_pair.ts";
import { calDpo } from "../../losses/cal_dpo.ts";
import { compileLoss } from "../../losses/compile.ts";
import { cpo, cpoLoss } from "../../losses/cpo.ts";
import type { Loss } from "../../losses/definition.ts";
import { discopop } from "../../losses/discopop.ts";
import { dpop } from "../../losses/dpop.ts";
import { evaluatePaired } from "../../losses/evaluate.ts";
import { exoPair } from "../../losses/exo_pair.ts";
import { hinge } from "../../losses/hinge.ts";
import { ncaPair } from "../../losses/nca_pair.ts";
import { orpo, orpoLoss } from "../../losses/orpo.ts";
import { robust } from "../../losses/robust.ts";
import { sft } from "../../losses/sft.ts";
import { sigmoidNorm } from "../../losses/sigmoid_norm.ts";
import { simpo, simpoLoss } from "../../losses/simpo.ts";
import { sppoHard } from "../../losses/sppo_hard.ts";
import { assertClose, assertRelative } from "./assertions.ts";
import { torchtune } from "./fixture.ts";
import { lossVariants } from "./loss_variants.ts";
import { assertPairedGradient, pairs } from "./paired_gradient.ts";

for (const [name, { loss, losses, chosen, rejected }] of Object.entries(lossVariants)) {
  Deno.test(`${name} agrees with PyTorch`, () => {
    const result = evaluatePaired(pairs, loss);
    assertClose(result.losses, losses);
    assertClose(result.gradients.chosen, chosen);
    assertClose(result.gradients.rejected, rejected);
  });

  Deno.test(`${name} has the gradient of its finite differences`, () => {
    assertPairedGradient((batch) => evaluatePaired({ ...pairs, ...batch }, loss));
  });

  Deno.test(`${name} is finite at log-ratios of ±500 and at certainty, over 1 and 4096 tokens`, () => {
    const batch = extremes();
    const { losses, gradients, rewards, curvature } = evaluatePaired(batch, loss);
    const all = [losses, gradients.chosen, gradients.rejected, rewards.chosen, rewards.rejected, [curvature]];
    for (const values of all) assert(values.every(Number.isFinite), `${values}`);
  });
}

/** Every combination of log-ratios −500, 0 and 500, lengths 1 and 4096, and a policy that is certain or far from it. */
function extremes(): PairedLogProbs {
  const rows: number[][] = [];
  for (const ofChosen of [-500, 0, 500]) {
    for (const ofRejected of [-500, 0, 500]) {
      for (const lengths of [[1, 1], [1, 4096], [4096, 1], [4096, 4096]]) {
        for (const policy of [[0, 0], [-1e-12, -700], [-700, -1e-12], [-700, -700]]) {
          rows.push([...policy, policy[0]! - ofChosen, policy[1]! - ofRejected, ...lengths]);
        }
      }
    }
  }
  const column = (index: number) => rows.map((row) => row[index]!);
  return {
    policy: { chosen: column(0), rejected: column(1) },
    reference: { chosen: column(2), rejected: column(3) },
    lengths: { chosen: column(4), rejected: column(5) },
    margins: rows.map((_, index) => [-3, 0, 50][index % 3]!),
    logWeights: { chosen: rows.map((_, index) => -index), rejected: rows.map((_, index) => index % 2) },
  };
}

const beta = 0.2;
const atReference: Record<string, [Loss, number]> = {
  robust: [robust({ beta, labelSmoothing: 0.3 }), Math.LN2],
  hinge: [hinge({ beta }), 1],
  exoPair: [exoPair({ beta, labelSmoothing: 0.1 }), -Math.LN2 - Math.log(0.09) / 2],
  ncaPair: [ncaPair({ beta }), 2 * Math.LN2],
  bcoPair: [bcoPair({ beta }), 2 * Math.LN2],
  sppoHard: [sppoHard({ beta }), 2 * 2.5 ** 2],
  apoZero: [apoZero({ beta }), 1],
  apoDown: [apoDown({ beta }), 1],
  discopop: [discopop({ beta }), (Math.LN2 + 1) / 2],
  sigmoidNorm: [sigmoidNorm({ beta }), Math.LN2],
  dpop: [dpop({ beta }), Math.LN2],
  calDpo: [calDpo({ beta }), Math.LN2 + 2 * 2.5 ** 2],
};
for (const [name, [loss, expected]] of Object.entries(atReference)) {
  Deno.test(`${name} is ${expected.toFixed(4)} with zero rewards where policy is reference`, () => {
    const { policy, lengths } = pairs;
    const result = evaluatePaired({ policy, reference: policy, lengths }, loss);
    assertClose(result.losses, [expected, expected, expected, expected], 1e-14);
    assertClose([...result.rewards.chosen, ...result.rewards.rejected], new Float64Array(8), 0);
  });
}

Deno.test("hinge has the values that torchtune expects", () => {
  assertClose(evaluatePaired(torchtune.batch, hinge({ beta: 0.1 })).losses, [1, 0, 0], 1e-12);
});

Deno.test("exoPair is 0 where the policy prefers as the labels do", () => {
  const margin = Math.log(0.9 / 0.1);
  const { loss, gradients } = evaluatePaired({
    policy: { chosen: [margin - 5], rejected: [-5] },
    reference: { chosen: [-5], rejected: [-5] },
  }, exoPair({ beta: 1, labelSmoothing: 0.1 }));
  assertClose([loss, gradients.chosen[0]!, gradients.rejected[0]!], [0, 0, 0], 1e-14);
});

Deno.test("robust, averaged over labels that are swapped as often as it takes them to be, is dpo", () => {
  const { policy, reference } = pairs;
  const swap = <T>({ chosen, rejected }: { chosen: T; rejected: T }) => ({
    chosen: rejected,
    rejected: chosen,
  });
  const at = (loss: Loss, batch: PairedLogProbs) => evaluatePaired(batch, loss).loss;
  const loss = robust({ beta, labelSmoothing: 0.3 });
  const swapped = { policy: swap(policy), reference: swap(reference) };
  const unsmoothed = robust({ beta, labelSmoothing: 1e-15 });
  assertClose([0.7 * at(loss, pairs) + 0.3 * at(loss, swapped)], [at(unsmoothed, pairs)]);
});

Deno.test("dpop has no gradient through its penalty where the policy is the reference", () => {
  const { policy } = pairs;
  const { gradients } = evaluatePaired({ policy, reference: policy }, dpop({ beta }));
  assertClose(gradients.chosen, gradients.chosen.map(() => -beta / 2 / 4), 1e-15);
});

Deno.test("discopop keeps its accuracy far on both sides", () => {
  const at = (margin: number) =>
    evaluatePaired({
      policy: { chosen: [margin - 900], rejected: [-900] },
      reference: { chosen: [-900], rejected: [-900] },
    }, discopop({ beta: 1 }));
  assertRelative(at(500).loss, Math.exp(-500), 1e-12);
  assertRelative(at(500).gradients.chosen[0]!, -Math.exp(-500), 1e-12);
  assertRelative(at(-800).loss, 800); // e⁸⁰⁰ would overflow
  assertRelative(at(-800).gradients.chosen[0]!, -1);
});

Deno.test("orpo of a completion that is almost certain has the logarithm of its odds", () => {
  const { rewards } = orpoLoss({
    policy: { chosen: [-1e-10], rejected: [-4e-20] },
    lengths: { chosen: [1], rejected: [4] },
  }, { beta: 1 });
  // log(P / (1 − P)) of log P = −x is −log x to first order
  assertRelative(rewards.chosen[0]!, Math.log(1e10), 1e-10);
  assertRelative(rewards.rejected[0]!, Math.log(1e20), 1e-14);
});

Deno.test("cpo and orpo divide the cross-entropy by all chosen tokens of the batch, as sft does", () => {
  const { loss } = evaluatePaired(pairs, sft());
  const even = { chosen: pairs.policy.chosen, rejected: pairs.policy.chosen };
  const lengths = { chosen: pairs.lengths.chosen, rejected: pairs.lengths.chosen };
  const batch = { policy: even, lengths };
  assertClose([cpoLoss(batch, { beta }).loss, orpoLoss(batch, { beta }).loss], [
    loss + Math.LN2,
    loss + beta * Math.LN2,
  ]);
});

Deno.test("orpo, simpo and cpo need lengths and no reference", () => {
  const { policy, reference: _, lengths } = pairs;
  for (const loss of [orpo({ beta }), simpo({ beta }), cpo({ beta })]) {
    assertEquals(compileLoss(loss).needs, {
      reference: false,
      lengths: true,
      mismatched: false,
      margins: false,
      logWeights: false,
    });
    assertEquals(evaluatePaired({ policy, lengths }, loss), evaluatePaired(pairs, loss));
    assertThrows(() => evaluatePaired({ policy }, loss), Error, `${loss.name}: needs lengths`);
  }
  const batch = { policy, lengths };
  assertEquals(simpoLoss(batch, { beta }), evaluatePaired(batch, simpo({ beta })));
});

Deno.test("losses that compare with a reference say so where there is none", () => {
  const { policy, lengths } = pairs;
  for (const [loss] of Object.values(atReference)) {
    assert(compileLoss(loss).needs.reference, loss.name);
    assertThrows(
      () => evaluatePaired({ policy, lengths }, loss),
      Error,
      `${loss.name}: needs reference, which the batch lacks`,
    );
  }
});

Deno.test("every loss rejects options out of range by name", () => {
  const ofBeta = {
    robust: (beta: number) => robust({ beta, labelSmoothing: 0.1 }),
    hinge: (beta: number) => hinge({ beta }),
    exoPair: (beta: number) => exoPair({ beta }),
    ncaPair: (beta: number) => ncaPair({ beta }),
    bcoPair: (beta: number) => bcoPair({ beta }),
    sppoHard: (beta: number) => sppoHard({ beta }),
    apoZero: (beta: number) => apoZero({ beta }),
    apoDown: (beta: number) => apoDown({ beta }),
    discopop: (beta: number) => discopop({ beta }),
    sigmoidNorm: (beta: number) => sigmoidNorm({ beta }),
    orpo: (beta: number) => orpo({ beta }),
    simpo: (beta: number) => simpo({ beta }),
    cpo: (beta: number) => cpo({ beta }),
    dpop: (beta: number) => dpop({ beta }),
    calDpo: (beta: number) => calDpo({ beta }),
  };
  const rejects = (define: () => Loss, option: string) => assertThrows(define, RangeError, option);
  for (const [name, define] of Object.entries(ofBeta)) {
    assertEquals(define(1).name, name);
    for (const beta of [0, -0.1, NaN, Infinity]) rejects(() => define(beta), `${name}: beta must be`);
  }
  for (const labelSmoothing of [0, 0.5, NaN]) {
    rejects(() => robust({ beta, labelSmoothing }), "robust: labelSmoothing must be above 0");
    rejects(() => exoPair({ beta, labelSmoothing }), "exoPair: labelSmoothing must be above 0");
  }
  for (const labelSmoothing of [-0.1, 0.5, NaN]) {
    rejects(() => cpo({ beta, labelSmoothing }), "cpo: labelSmoothing must be at least 0");
  }
  for (const tau of [0, 1.1, NaN]) rejects(() => discopop({ beta, tau }), "discopop: tau");
  for (const gamma of [-0.1, Infinity, NaN]) rejects(() => simpo({ beta, gamma }), "simpo: gamma");
  for (const lambda of [0, Infinity, NaN]) rejects(() => dpop({ beta, lambda }), "dpop: lambda");
});
