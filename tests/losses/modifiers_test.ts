import { assert, assertEquals, assertThrows } from "@std/assert";
import { aot, aotUnpaired } from "../../losses/aot.ts";
import { apoZero } from "../../losses/apo_zero.ts";
import { combine } from "../../losses/combine.ts";
import { compileLoss } from "../../losses/compile.ts";
import { cpo } from "../../losses/cpo.ts";
import type { Loss } from "../../losses/definition.ts";
import { discopop } from "../../losses/discopop.ts";
import { dpo } from "../../losses/dpo.ts";
import { dpop } from "../../losses/dpop.ts";
import { evaluatePaired } from "../../losses/evaluate.ts";
import { exoPair } from "../../losses/exo_pair.ts";
import { hinge } from "../../losses/hinge.ts";
import { hypo } from "../../losses/hypo.ts";
import { ipo } from "../../losses/ipo.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { ldDpo, sumDesensitized } from "../../losses/ld_dpo.ts";
import { margin } from "../../losses/margin.ts";
import { mpo } from "../../losses/mpo.ts";
import { ncaPair } from "../../losses/nca_pair.ts";
import { normalizeLengths } from "../../losses/normalize_lengths.ts";
import { orpo } from "../../losses/orpo.ts";
import { robust } from "../../losses/robust.ts";
import { rpo } from "../../losses/rpo.ts";
import { sft } from "../../losses/sft.ts";
import { sigmoidNorm } from "../../losses/sigmoid_norm.ts";
import { simpo } from "../../losses/simpo.ts";
import { wpo } from "../../losses/wpo.ts";
import { assertClose } from "./assertions.ts";
import { pairs } from "./paired_gradient.ts";

const beta = 0.1;

Deno.test("hypo takes losses that read the reference's margin alone, and leaves them where that is above 0", () => {
  const losses = [
    dpo({ beta }),
    robust({ beta, labelSmoothing: 0.1 }),
    ipo({ beta, average: "sum" }),
    hinge({ beta }),
    exoPair({ beta }),
    discopop({ beta }),
    margin({ beta }),
    aot({ beta }),
    rpo({ beta }),
    combine([{ loss: dpo({ beta }), weight: 1 }, { loss: sft(), weight: 2 }]),
  ];
  const above = { chosen: [-5, -6, -7, -8], rejected: [-6, -6, -9, -12] };
  for (const loss of losses) {
    const changed = hypo(loss);
    assertEquals(changed.name, `hypo ${loss.name}`);
    assertClose(
      evaluatePaired({ ...pairs, reference: above }, changed).losses,
      evaluatePaired({ ...pairs, reference: above }, loss).losses,
    );
    assert(evaluatePaired(pairs, changed).loss !== evaluatePaired(pairs, loss).loss);
    assertEquals(evaluatePaired(pairs, changed).rewards, evaluatePaired(pairs, loss).rewards);
  }
});

Deno.test("hypo refuses, by name, losses that read more of the reference or nothing", () => {
  const refuse = (loss: Loss, message: string) => assertThrows(() => hypo(loss), Error, message);
  refuse(dpo({ beta, divergence: "forward_kl" }), "hypo: dpo reads more of the reference");
  refuse(ncaPair({ beta }), "hypo: ncaPair reads more");
  refuse(apoZero({ beta }), "hypo: apoZero reads more");
  refuse(dpop({ beta }), "hypo: dpop reads more");
  refuse(ktoPaired({ beta }), "hypo: ktoPaired reads more");
  refuse(aotUnpaired({ beta }), "hypo: aotUnpaired reads more");
  refuse(sigmoidNorm({ beta: 5 }), "hypo: sigmoidNorm reads more");
  refuse(mpo({ beta }), "hypo: mpo reads more");
  refuse(simpo({ beta: 2 }), "hypo: simpo compares with no reference");
  refuse(kto({ beta }), "hypo: kto is for single completions");
});

Deno.test("normalizeLengths makes sigmoidNorm of dpo and ipo of means of ipo of sums", () => {
  const wgsl = (loss: Loss) => compileLoss(loss).wgsl;
  assertEquals(wgsl(normalizeLengths(dpo({ beta: 5 }))), wgsl(sigmoidNorm({ beta: 5 })));
  assertEquals(wgsl(normalizeLengths(ipo({ beta, average: "sum" }))), wgsl(ipo({ beta, average: "mean" })));
});

Deno.test("normalizeLengths keeps what other losses of a sum read through statistics and ranks", () => {
  for (const loss of [ktoPaired({ beta, detach: false }), aotUnpaired({ beta })]) {
    const changed = normalizeLengths(loss);
    const sum = combine([{ loss, weight: 1 }, { loss: changed, weight: 1 }]);
    const expected = evaluatePaired(pairs, loss).loss + evaluatePaired(pairs, changed).loss;
    assertClose([evaluatePaired(pairs, sum).loss], [expected]);
  }
});

Deno.test("normalizeLengths, wpo and ldDpo refuse what they don't fit, by name", () => {
  const refuse = (change: () => Loss, message: string) => assertThrows(change, Error, message);
  for (const loss of [simpo({ beta: 2 }), ipo({ beta, average: "mean" }), sigmoidNorm({ beta: 5 })]) {
    refuse(() => normalizeLengths(loss), `normalizeLengths: ${loss.name} divides by lengths already`);
    refuse(() => ldDpo(loss, { alpha: 0.5 }), `ldDpo: ${loss.name} divides by lengths`);
  }
  for (const loss of [sft(), cpo({ beta }), orpo({ beta }), rpo({ beta }), mpo({ beta })]) {
    refuse(() => normalizeLengths(loss), `normalizeLengths: ${loss.name} has a cross-entropy over tokens`);
    refuse(() => wpo(loss), `wpo: ${loss.name} has a cross-entropy over tokens`);
    refuse(() => ldDpo(loss, { alpha: 0.5 }), `ldDpo: ${loss.name} has a cross-entropy over tokens`);
  }
  refuse(() => normalizeLengths(kto({ beta })), "normalizeLengths: kto is for single completions");
  refuse(() => wpo(kto({ beta })), "wpo: kto is for single completions");
  refuse(() => ldDpo(kto({ beta }), { alpha: 0.5 }), "ldDpo: kto is for single completions");
  refuse(() => wpo(aot({ beta })), "wpo: aot sorts the batch");
  refuse(() => wpo(wpo(dpo({ beta }))), "wpo: wpo dpo is weighed already");
  const desensitized = ldDpo(dpo({ beta }), { alpha: 0.5 });
  refuse(() => ldDpo(desensitized, { alpha: 0.5 }), "ldDpo: ld dpo is desensitized already");
  for (const alpha of [-0.1, 1, NaN]) {
    refuse(() => ldDpo(dpo({ beta }), { alpha }), "ldDpo: alpha must be at least 0");
  }
  refuse(
    () => combine([{ loss: desensitized, weight: 1 }, { loss: dpo({ beta }), weight: 1 }]),
    "combine: ld dpo and dpo want different sums over tokens",
  );
  const both = combine([{ loss: desensitized, weight: 1 }, {
    loss: ldDpo(hinge({ beta }), { alpha: 0.5 }),
    weight: 1,
  }]);
  assertEquals(compileLoss(both).tailWeight, 0.5);
});

Deno.test("wpo changes neither rewards nor the reported curvature, and composes with the others", () => {
  const [plain, weighed] = [dpo({ beta }), wpo(dpo({ beta }))].map((loss) => evaluatePaired(pairs, loss));
  assertEquals([weighed!.rewards, weighed!.curvature], [plain!.rewards, plain!.curvature]);
  const all = wpo(ldDpo(hypo(dpo({ beta })), { alpha: 0.5 }));
  assertEquals(all.name, "wpo ld hypo dpo");
  assertClose(evaluatePaired(pairs, all).losses, evaluatePaired(pairs, wpo(hypo(dpo({ beta })))).losses);
});

Deno.test("sumDesensitized adds up what two completions of a pair have in common, and a part of the rest", () => {
  // TRL 1.10: shared_logps + ld_alpha * tail_logps
  const logProbs = [-1.5, -0.25, -4, -0.5, -2];
  assertEquals(sumDesensitized(logProbs, { shorter: 3, alpha: 0.5 }), -5.75 + 0.5 * -2.5);
  assertEquals(sumDesensitized(logProbs, { shorter: 3, alpha: 0 }), -5.75);
  assertEquals(sumDesensitized(logProbs, { shorter: 5, alpha: 0 }), -8.25);
});

Deno.test("aot and aotUnpaired of one pair are dpo, whose numbers need no sorting", () => {
  const one = {
    policy: { chosen: [-12.5], rejected: [-14] },
    reference: { chosen: [-13], rejected: [-11.5] },
  };
  const { loss, gradients } = evaluatePaired(one, dpo({ beta }));
  for (const sorted of [aot({ beta }), aotUnpaired({ beta })]) {
    const result = evaluatePaired(one, sorted);
    assertEquals([result.loss, result.gradients], [loss, gradients]);
  }
});

Deno.test("aot gives the same to pairs whatever their order, and ties what their places say", () => {
  const order = [2, 0, 3, 1];
  const take = (values: ArrayLike<number>) => order.map((i) => values[i]!);
  const both = ({ chosen, rejected }: typeof pairs.policy) => ({
    chosen: take(chosen),
    rejected: take(rejected),
  });
  const [here, there] = [pairs, { policy: both(pairs.policy), reference: both(pairs.reference) }]
    .map((batch) => evaluatePaired(batch, aotUnpaired({ beta })));
  assertClose(there!.losses, take(here!.losses));
  assertClose(there!.gradients.rejected, take(here!.gradients.rejected));
  const equal = { chosen: [-5, -5, -5], rejected: [-5, -5, -5] };
  const { losses, gradients } = evaluatePaired({ policy: equal, reference: equal }, aotUnpaired({ beta }));
  assertClose(losses, [Math.LN2, Math.LN2, Math.LN2]);
  assertClose(gradients.rejected, [beta / 6, beta / 6, beta / 6]);
});

Deno.test("a loss refuses a divergence that doesn't exist or has no finite scores", () => {
  for (const alpha of [1, 0.995, 1.009, NaN, Infinity]) {
    assertThrows(() => dpo({ beta, divergence: { alpha } }), RangeError, "divergence");
  }
  // deno-lint-ignore no-explicit-any
  assertThrows(() => dpo({ beta, divergence: "kl" as any }), RangeError, 'divergence must be "reverse_kl"');
  assertClose(
    evaluatePaired(pairs, dpo({ beta, divergence: { alpha: 0 } })).losses,
    evaluatePaired(pairs, dpo({ beta, divergence: "forward_kl" })).losses,
  );
});

Deno.test("margin, aot, rpo and mpo reject options out of range, by name", () => {
  for (const define of [margin, aot, aotUnpaired, rpo, mpo]) {
    for (const wrong of [0, NaN]) {
      assertThrows(() => define({ beta: wrong }), RangeError, `${define.name}: beta`);
    }
  }
  assertThrows(() => rpo({ beta, alpha: 0 }), RangeError, "rpo: alpha");
  assertThrows(() => aot({ beta, labelSmoothing: 0.5 }), RangeError, "aot: labelSmoothing");
  assertThrows(
    () => evaluatePaired({ ...pairs, margins: [NaN, 0, 0, 0] }, margin({ beta })),
    RangeError,
    "margins[0]",
  );
  const { margins: _, logWeights: __, ...bare } = pairs;
  assertThrows(() => evaluatePaired(bare, margin({ beta })), Error, "margin: needs margins");
  assertThrows(() => evaluatePaired(bare, wpo(dpo({ beta }))), Error, "wpo dpo: needs logWeights");
});
