import { assertEquals, assertThrows } from "@std/assert";
import { ipoLoss, type IpoOptions } from "../../losses/ipo.ts";
import { assertClose, assertRelative } from "./assertions.ts";
import { fixtureNames, readFixture } from "./fixture.ts";
import { assertPairedGradient } from "./paired_gradient.ts";

for (const name of fixtureNames) {
  for (const average of ["sum", "mean"] as const) {
    Deno.test(`ipoLoss with average "${average}" agrees with PyTorch on ${name}`, async () => {
      const { paired, losses } = await readFixture(name);
      const { loss, losses: items } = ipoLoss(paired, { beta: 0.1, average });
      assertClose([loss], [losses[`ipo_${average}`]!.value]);
      assertClose(items, losses[`ipo_${average}`]!.items);
    });
  }
}

Deno.test("ipoLoss has the gradient of its finite differences", () => {
  assertPairedGradient((batch) => ipoLoss(batch, { beta: 0.1, average: "sum" }));
  assertPairedGradient((batch) => ipoLoss(batch, { beta: 0.1, average: "mean" }));
});

Deno.test("ipoLoss averages over completions of 1 and of 4096 tokens", () => {
  const { loss, gradients } = ipoLoss({
    policy: { chosen: [-500], rejected: [-4096] },
    reference: { chosen: [-1000], rejected: [-8192] },
    lengths: { chosen: [1], rejected: [4096] },
  }, { beta: 0.5, average: "mean" });
  assertRelative(loss, (500 - 1 - 1) ** 2);
  assertRelative(gradients.chosen[0]!, 2 * 498);
  assertRelative(gradients.rejected[0]!, -2 * 498 / 4096);
});

Deno.test("ipoLoss is 1 / (4 β²) where policy is reference", () => {
  const same = { chosen: [-10], rejected: [-5] };
  assertRelative(ipoLoss({ policy: same, reference: same }, { beta: 0.2, average: "sum" }).loss, 6.25);
});

Deno.test("ipoLoss of sums does not read lengths", () => {
  const policy = { chosen: [-10], rejected: [-5] };
  const reference = { chosen: [-11], rejected: [-7] };
  const options = { beta: 0.2, average: "sum" } as const;
  const lengths = { chosen: [3], rejected: [2] };
  assertEquals(ipoLoss({ policy, reference, lengths }, options), ipoLoss({ policy, reference }, options));
});

Deno.test("ipoLoss of means demands lengths", () => {
  const same = { chosen: [-10], rejected: [-5] };
  assertThrows(
    () => ipoLoss({ policy: same, reference: same }, { beta: 0.1, average: "mean" }),
    Error,
    "ipo: needs lengths, which the batch lacks",
  );
});

Deno.test("ipoLoss demands a choice of average", () => {
  const same = { chosen: [-10], rejected: [-5] };
  const options = { beta: 0.1 } as IpoOptions;
  assertThrows(
    () => ipoLoss({ policy: same, reference: same }, options),
    RangeError,
    'average must be "sum" or "mean"',
  );
});
