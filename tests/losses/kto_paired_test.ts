import { assertEquals, assertNotEquals } from "@std/assert";
import type { PairedLogProbs } from "../../losses/batch.ts";
import { ktoPairedLoss } from "../../losses/kto_paired.ts";
import { assertClose } from "./assertions.ts";
import { fixtureNames, readFixture } from "./fixture.ts";
import { assertPairedGradient, pairs } from "./paired_gradient.ts";

for (const name of fixtureNames) {
  Deno.test(`ktoPairedLoss agrees with PyTorch on ${name}`, async () => {
    const { paired, losses, terms } = await readFixture(name);
    for (const [fixture, detach] of [["kto_paired", true], ["kto_paired_grad_through_z", false]] as const) {
      const { loss, losses: items, statistics } = ktoPairedLoss(paired, { beta: 0.1, detach });
      const { value, items: sixItems } = losses[fixture]!;
      assertClose([loss], [value]);
      assertClose(items, [0, 1, 2].map((pair) => (sixItems[pair]! + sixItems[pair + 3]!) / 2));
      assertClose([statistics.z_chosen!, statistics.z_rejected!], [terms.z_chosen!, terms.z_rejected!]);
    }
  });
}

/** The formula with z_w and z_l given, written a second time. */
function lossWithFixedZ(
  { policy, reference }: PairedLogProbs,
  z: { chosen: number; rejected: number },
): number {
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  let total = 0;
  for (let i = 0; i < policy.chosen.length; i++) {
    const chosen = policy.chosen[i]! - reference.chosen[i]!;
    const rejected = policy.rejected[i]! - reference.rejected[i]!;
    total += 1 - sigmoid(0.1 * (chosen - z.rejected)) + 1 - sigmoid(0.1 * (z.chosen - rejected));
  }
  return total / (2 * policy.chosen.length);
}

/** {@linkcode pairs} with chosen log-ratios of a positive mean, as the rejected ones have. */
const positive: PairedLogProbs = {
  ...pairs,
  reference: { ...pairs.reference, chosen: [-13, -5, -90, -40.25] },
};

Deno.test("ktoPairedLoss detached has the gradient at constant z", () => {
  const { statistics: { z_chosen, z_rejected } } = ktoPairedLoss(pairs, { beta: 0.1 });
  assertEquals(z_chosen, 0); // clamped: the mean is -2
  assertEquals(z_rejected, 1.75);
  assertPairedGradient(
    (batch) => ktoPairedLoss(batch, { beta: 0.1 }),
    (batch) => lossWithFixedZ(batch, { chosen: z_chosen!, rejected: z_rejected! }),
  );
});

Deno.test("ktoPairedLoss not detached has the gradient of its finite differences", () => {
  assertPairedGradient((batch) => ktoPairedLoss(batch, { beta: 0.1, detach: false }));
  assertPairedGradient(({ policy }) => ktoPairedLoss({ ...positive, policy }, { beta: 0.1, detach: false }));
  assertNotEquals(
    ktoPairedLoss(positive, { beta: 0.1, detach: false }).gradients,
    ktoPairedLoss(positive, { beta: 0.1, detach: true }).gradients,
  );
});

Deno.test("ktoPairedLoss lets the gradient through z where policy is reference, as torch.clamp does", () => {
  const same = { chosen: [-10, -9], rejected: [-5, -4] };
  // d/du_w of ½ (1 − σ(β (u_w − z_l))) is −β/8, and through z_w it is −β/8 again; each over 2 pairs
  const { gradients } = ktoPairedLoss({ policy: same, reference: same }, { beta: 0.4, detach: false });
  assertClose(gradients.chosen, [-0.05, -0.05]);
});
