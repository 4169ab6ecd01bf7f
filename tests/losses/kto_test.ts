import { assertEquals, assertThrows } from "@std/assert";
import { ktoLoss } from "../../losses/kto.ts";
import { assertClose, assertRelative, finiteDifferences } from "./assertions.ts";
import { fixtureNames, readFixture } from "./fixture.ts";

const batch = {
  policy: { completion: [-10, -20, -30, -8.5] },
  reference: { completion: [-12, -19, -42, -8] },
  labels: [true, false, false, true],
  mismatched: { policy: [-40, -41, -39, -30], reference: [-46, -44, -39, -30.5] },
};

for (const name of fixtureNames) {
  Deno.test(`ktoLoss agrees with PyTorch on ${name}`, async () => {
    const { unpaired, losses, terms } = await readFixture(name);
    const { loss, losses: items, statistics } = ktoLoss(unpaired, { beta: 0.1 });
    assertClose([loss, statistics.z0!], [losses.kto_unpaired!.value, terms.z0!]);
    assertClose(items, losses.kto_unpaired!.items);
  });
}

Deno.test("ktoLoss has the gradient of its finite differences", () => {
  const options = { beta: 0.1, desirableWeight: 1.5, undesirableWeight: 0.7 };
  const expected = finiteDifferences(
    (completion) => ktoLoss({ ...batch, policy: { completion } }, options).loss,
    batch.policy.completion,
  );
  assertClose(ktoLoss(batch, options).gradients.completion, expected, 1e-9);
});

Deno.test("ktoLoss weighs desirable and undesirable completions", () => {
  const plain = ktoLoss(batch, { beta: 0.1 }).losses;
  const weighted = ktoLoss(batch, { beta: 0.1, desirableWeight: 3, undesirableWeight: 2 }).losses;
  assertClose(weighted, plain.map((loss, index) => loss * [3, 2, 2, 3][index]!));
});

Deno.test("ktoLoss clamps a negative z0 to 0", () => {
  const { mismatched: { policy, reference } } = batch;
  const { statistics } = ktoLoss({ ...batch, mismatched: { policy: reference, reference: policy } }, {
    beta: 0.1,
  });
  assertEquals(statistics.z0, 0);
});

Deno.test("ktoLoss keeps its accuracy at log-ratios of 500", () => {
  const { losses, gradients } = ktoLoss({
    policy: { completion: [-100, -600, -600, -100] },
    reference: { completion: [-600, -100, -100, -600] },
    labels: [1, 0, 1, 0],
    mismatched: { policy: [-1, -1, -1, -1], reference: [-1, -1, -1, -1] },
  }, { beta: 1 });
  const tail = Math.exp(-500);
  [tail, tail, 1, 1].forEach((expected, index) => assertRelative(losses[index]!, expected));
  [-1, 1, -1, 1].forEach((sign, index) => assertRelative(gradients.completion[index]!, sign * tail / 4));
});

Deno.test("ktoLoss rejects a batch of one and says why", () => {
  const one = {
    policy: { completion: [-10] },
    reference: { completion: [-12] },
    labels: [1],
    mismatched: { policy: [-40], reference: [-40] },
  };
  assertThrows(() => ktoLoss(one, { beta: 0.1 }), RangeError, "a batch of one has no other");
});

Deno.test("ktoLoss rejects missing or too few mismatched sequences", () => {
  const { mismatched: _, ...without } = batch;
  assertThrows(() => ktoLoss(without, { beta: 0.1 }), RangeError, "with 4 numbers, one a record, got none");
  const mismatched = { policy: [-40, -41], reference: [-46, -44] };
  assertThrows(() => ktoLoss({ ...batch, mismatched }, { beta: 0.1 }), RangeError, "got 2");
});

Deno.test("ktoLoss rejects labels and weights that are none", () => {
  assertThrows(
    () => ktoLoss({ ...batch, labels: [1, 0, -1, 1] }, { beta: 0.1 }),
    RangeError,
    "labels[2] is -1",
  );
  assertThrows(() => ktoLoss(batch, { beta: 0.1, desirableWeight: 0 }), RangeError, "kto: desirableWeight");
});
