import { assertEquals, assertThrows } from "@std/assert";
import { pick, seededRandom, shuffle } from "../../examples/quick_start/random.ts";

Deno.test("seededRandom is mulberry32", () => {
  // From the algorithm written in Python's unbounded integers.
  const random = seededRandom(7);
  assertEquals([random(), random()], [0.011704753153026104, 0.06195825757458806]);
});

Deno.test("shuffle keeps every entry and leaves its input alone", () => {
  const list = [1, 2, 3, 4, 5, 6, 7, 8];
  const shuffled = shuffle(seededRandom(0), list);
  assertEquals(list, [1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(shuffled.toSorted(), list);
  assertEquals(shuffled.join() === list.join(), false);
});

Deno.test("pick reaches the first and the last entry and refuses an empty list", () => {
  assertEquals(pick(() => 0, ["a", "b", "c"]), "a");
  assertEquals(pick(() => 1 - 2 ** -32, ["a", "b", "c"]), "c");
  assertThrows(() => pick(() => 0, []), Error, "the list is empty");
});
