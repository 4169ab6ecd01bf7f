import { assertEquals, assertThrows } from "@std/assert";
import { combine } from "../../losses/combine.ts";
import { dpo, dpoLoss } from "../../losses/dpo.ts";
import { evaluatePaired } from "../../losses/evaluate.ts";
import { kto } from "../../losses/kto.ts";
import { ktoPaired } from "../../losses/kto_paired.ts";
import { sft } from "../../losses/sft.ts";
import { assertClose } from "./assertions.ts";
import { fixtureNames, readFixture } from "./fixture.ts";
import { assertPairedGradient, pairs } from "./paired_gradient.ts";

const dpoAndHalfSft = combine([{ loss: dpo({ beta: 0.1 }), weight: 1 }, { loss: sft(), weight: 0.5 }]);

for (const name of fixtureNames) {
  Deno.test(`combine of dpo and half sft agrees with PyTorch on ${name}`, async () => {
    const { paired, losses, terms } = await readFixture(name);
    assertClose([evaluatePaired(paired, dpoAndHalfSft).loss], [losses.dpo_plus_half_nll!.value]);
    assertClose([evaluatePaired(paired, sft()).loss], [terms.nll_chosen!]);
  });
}

Deno.test("combine has the gradient of its finite differences", () => {
  const all = combine([
    { loss: dpoAndHalfSft, weight: 2 },
    { loss: ktoPaired({ beta: 0.2, detach: false }), weight: 0.3 },
  ]);
  assertPairedGradient((batch) => evaluatePaired({ lengths: pairs.lengths, ...batch }, all));
});

Deno.test("combine multiplies the weights of a combination that is combined again", () => {
  const dpoLoss = evaluatePaired(pairs, dpo({ beta: 0.1 })).loss;
  const sftLoss = evaluatePaired(pairs, sft()).loss;
  const nested = combine([{ loss: dpoAndHalfSft, weight: 3 }, { loss: sft(), weight: 2 }]);
  assertClose([evaluatePaired(pairs, nested).loss], [3 * dpoLoss + 1.5 * sftLoss + 2 * sftLoss]);
});

Deno.test("combine reports the rewards and the curvature of the first loss that has them", () => {
  const sftFirst = combine([{ loss: sft(), weight: 0.5 }, { loss: dpo({ beta: 0.1 }), weight: 1 }]);
  const { rewards, curvature } = dpoLoss(pairs, { beta: 0.1 });
  const combined = evaluatePaired(pairs, sftFirst);
  assertEquals(combined.rewards, rewards);
  assertEquals(combined.curvature, curvature);
});

Deno.test("combine names what it is made of", () => {
  assertEquals(dpoAndHalfSft.name, "dpo + 0.5 sft");
});

Deno.test("combine rejects an empty list, other kinds of records and weights that are not above 0", () => {
  assertThrows(() => combine([]), Error, "no losses");
  assertThrows(
    () => combine([{ loss: dpo({ beta: 0.1 }), weight: 1 }, { loss: kto({ beta: 0.1 }), weight: 1 }]),
    Error,
    "dpo is for paired records and kto for unpaired ones",
  );
  assertThrows(() => combine([{ loss: sft(), weight: 0 }]), RangeError, "the weight of sft");
});
