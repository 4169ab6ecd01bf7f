import { assert, assertEquals } from "@std/assert";
import { dpoLoss } from "../../losses/dpo.ts";
import { ipoLoss } from "../../losses/ipo.ts";
import { ktoLoss } from "../../losses/kto.ts";
import { ktoPairedLoss } from "../../losses/kto_paired.ts";
import { trDpoLoss, trIpoLoss, trKtoLoss, trKtoPairedLoss } from "../../losses/trust_region.ts";
import { assertClose } from "./assertions.ts";
import { readFixture } from "./fixture.ts";
import { pairs } from "./paired_gradient.ts";

const initial = { chosen: [-20, -6, -75, -42], rejected: [-12, -3, -60, -41] };

Deno.test("trDpoLoss, trIpoLoss, trKtoLoss and trKtoPairedLoss without initial are their classical forms", async () => {
  const { unpaired } = await readFixture("llama-gqa");
  const beta = 0.1;
  assertEquals(trDpoLoss(pairs, { beta }), dpoLoss(pairs, { beta }));
  assertEquals(trIpoLoss(pairs, { beta, average: "mean" }), ipoLoss(pairs, { beta, average: "mean" }));
  assertEquals(trKtoLoss(unpaired, { beta }), ktoLoss(unpaired, { beta }));
  assertEquals(
    trKtoPairedLoss(pairs, { beta, detach: false }),
    ktoPairedLoss(pairs, { beta, detach: false }),
  );
});

Deno.test("trDpoLoss measures the drift from the initial reference beside an unchanged loss", () => {
  const result = trDpoLoss({ ...pairs, initial }, { beta: 0.1 });
  assertEquals(result.loss, dpoLoss(pairs, { beta: 0.1 }).loss);
  // 0.1 (policy − initial)
  assertClose(result.rewardsInitial!.chosen, [0.75, 0.275, -0.55, 0.1]);
  assertClose(result.rewardsInitial!.rejected, [-0.2, 0.05, -0.225, -0.35]);
});

Deno.test("trIpoLoss averages the initial rewards too", () => {
  const { rewardsInitial } = trIpoLoss({ ...pairs, initial }, { beta: 0.1, average: "mean" });
  assertClose(rewardsInitial!.chosen, [0.75 / 7, 0.275 / 1, -0.55 / 40, 0.1 / 23]);
});

Deno.test("trKtoLoss measures the drift from the initial reference", async () => {
  const { unpaired } = await readFixture("llama-gqa");
  const { completion } = unpaired.policy;
  const shifted = { completion: Array.from(completion, (value) => value - 3) };
  const { rewardsInitial } = trKtoLoss({ ...unpaired, initial: shifted }, { beta: 0.1 });
  assertClose(rewardsInitial!.completion, [0.3, 0.3, 0.3, 0.3, 0.3, 0.3]);
});

Deno.test("trDpoLoss after a hard update is ln 2 with zero rewards while the drift stays visible", () => {
  const { loss, rewards, rewardsInitial, curvature } = trDpoLoss(
    { ...pairs, reference: pairs.policy, initial },
    { beta: 0.1 },
  );
  assertClose([loss, curvature], [Math.LN2, 0.25]);
  assert(rewards.chosen.every((reward) => reward === 0));
  assert(rewardsInitial!.chosen.some((reward) => reward !== 0));
});
