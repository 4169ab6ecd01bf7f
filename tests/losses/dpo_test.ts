import { assertEquals, assertThrows } from "@std/assert";
import { dpoLoss } from "../../losses/dpo.ts";
import { assertClose, assertRelative } from "./assertions.ts";
import { fixtureNames, readFixture, torchtune } from "./fixture.ts";
import { assertPairedGradient } from "./paired_gradient.ts";

for (const name of fixtureNames) {
  Deno.test(`dpoLoss agrees with PyTorch on ${name}`, async () => {
    const { paired, losses } = await readFixture(name);
    const { loss, losses: items } = dpoLoss(paired, { beta: 0.1 });
    assertClose([loss], [losses.dpo!.value]);
    assertClose(items, losses.dpo!.items);
  });
}

Deno.test("dpoLoss has the values that torchtune expects", () => {
  assertClose(dpoLoss(torchtune.batch, { beta: 0.1 }).losses, torchtune.dpo, 1e-6);
});

Deno.test("dpoLoss has the gradient of its finite differences", () => {
  assertPairedGradient((batch) => dpoLoss(batch, { beta: 0.1 }));
  assertPairedGradient((batch) => dpoLoss(batch, { beta: 0.3, labelSmoothing: 0.2 }));
});

Deno.test("dpoLoss with label smoothing mixes the losses of both labellings", () => {
  const { policy, reference } = torchtune.batch;
  const swap = <T>({ chosen, rejected }: { chosen: T; rejected: T }) => ({
    chosen: rejected,
    rejected: chosen,
  });
  const swapped = { policy: swap(policy), reference: swap(reference) };
  const expected = 0.9 * dpoLoss(torchtune.batch, { beta: 0.1 }).loss +
    0.1 * dpoLoss(swapped, { beta: 0.1 }).loss;
  assertClose([dpoLoss(torchtune.batch, { beta: 0.1, labelSmoothing: 0.1 }).loss], [expected]);
});

Deno.test("dpoLoss is ln 2 with full curvature and zero rewards where policy is reference", () => {
  const same = { chosen: [-10, -20], rejected: [-5, -1] };
  const { loss, rewards, curvature } = dpoLoss({ policy: same, reference: same }, { beta: 0.1 });
  assertRelative(loss, Math.LN2);
  assertEquals(rewards, { chosen: Float64Array.of(0, 0), rejected: Float64Array.of(0, 0) });
  assertRelative(curvature, 0.25);
});

Deno.test("dpoLoss keeps its accuracy at log-ratios of 500", () => {
  const batch = (chosen: number, rejected: number) => ({
    policy: { chosen: [chosen], rejected: [rejected] },
    reference: { chosen: [-600], rejected: [-600] },
  });
  const won = dpoLoss(batch(-100, -600), { beta: 1 });
  // log(1 + e⁻⁵⁰⁰) and its derivative are e⁻⁵⁰⁰ to double precision
  assertRelative(won.loss, Math.exp(-500));
  assertRelative(won.gradients.chosen[0]!, -Math.exp(-500));
  assertRelative(won.curvature, Math.exp(-500));
  const lost = dpoLoss(batch(-600, -100), { beta: 1 });
  assertRelative(lost.loss, 500);
  assertRelative(lost.gradients.rejected[0]!, 1);
});

Deno.test("dpoLoss rejects options out of range", () => {
  for (const beta of [0, -0.1, NaN, Infinity]) {
    assertThrows(
      () => dpoLoss(torchtune.batch, { beta }),
      RangeError,
      `beta must be a finite number above 0, got ${beta}`,
    );
  }
  for (const labelSmoothing of [-0.1, 0.5, NaN]) {
    assertThrows(() => dpoLoss(torchtune.batch, { beta: 0.1, labelSmoothing }), RangeError, "labelSmoothing");
  }
});
