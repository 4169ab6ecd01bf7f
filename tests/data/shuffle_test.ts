import { epochOrder } from "@tr/align/data";
import { assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";

Deno.test("epochOrder is a permutation that seed, epoch and count alone determine", () => {
  const order = epochOrder({ seed: 3, epoch: 2, count: 1000 });
  assertEquals(order.toSorted(), Uint32Array.from({ length: 1000 }, (_, index) => index));
  assertEquals(epochOrder({ seed: 3, epoch: 2, count: 1000 }), order);
  assertNotEquals(epochOrder({ seed: 3, epoch: 1, count: 1000 }), order);
  assertNotEquals(epochOrder({ seed: 2, epoch: 2, count: 1000 }), order);
});

Deno.test("epochOrder makes every order of three equally likely", () => {
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 6000; epoch++) {
    const key = epochOrder({ seed: 0, epoch, count: 3 }).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assertEquals(counts.size, 6);
  // Binomial(6000, 1/6): standard deviation 29.
  for (const count of counts.values()) assertAlmostEquals(count, 1000, 145);
});

Deno.test("epochOrder copes with no and one example, and refuses fractions", () => {
  assertEquals([...epochOrder({ seed: 0, epoch: 0, count: 0 })], []);
  assertEquals([...epochOrder({ seed: 0, epoch: 0, count: 1 })], [0]);
  assertThrows(
    () => epochOrder({ seed: 0, epoch: -1, count: 1 }),
    Error,
    "epoch is -1; wanted an integer from 0",
  );
  assertThrows(() => epochOrder({ seed: 0, epoch: 0, count: 0.5 }), Error, "count is 0.5");
});
