import { createRandom, type RandomState, restoreRandom } from "@tr/align/data";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";

Deno.test("restoreRandom reproduces the published xoshiro128** 1.1 sequence", () => {
  // The test vector of Rust's rand_xoshiro, made with https://prng.di.unimi.it/xoshiro128starstar.c; the
  // state after it from a C transcription of the same.
  const random = restoreRandom([1, 2, 3, 4]);
  assertEquals(Array.from({ length: 10 }, random.uint32), [
    11520,
    0,
    5927040,
    70819200,
    2031721883,
    1637235492,
    1287239034,
    3734860849,
    3729100597,
    4258142804,
  ]);
  assertEquals(random.state, [939045227, 1864939416, 1451579149, 2199351389]);
});

Deno.test("createRandom spreads seed and stream with SplitMix64", () => {
  // From a C transcription of splitmix64.c and xoshiro128starstar.c: SplitMix64(1234567) gives
  // 6457827717110365317 (as published), and SplitMix64 of that + 3 gives the two halves of the state, low
  // words first.
  const random = createRandom(1234567, { stream: 3 });
  assertEquals(random.state, [2828991606, 3079699547, 1086071199, 3204469256]);
  assertEquals(Array.from({ length: 4 }, random.uint32), [854458906, 859187431, 2032603994, 2375256058]);
});

Deno.test("createRandom gives other numbers for other seeds, streams and signs", () => {
  const first = (seed: number, stream = 0) => createRandom(seed, { stream }).uint32();
  const numbers = [first(0), first(1), first(-1), first(0, 1), first(1, 1), first(2 ** 40)];
  assertEquals(new Set(numbers).size, numbers.length);
});

Deno.test("restoreRandom continues after a trip through JSON", () => {
  const random = createRandom(5);
  for (let step = 0; step < 100; step++) random.uint32();
  const later = restoreRandom(JSON.parse(JSON.stringify(random.state)) as RandomState);
  assertEquals(Array.from({ length: 20 }, later.uniform), Array.from({ length: 20 }, random.uniform));
});

Deno.test("uniform fills 0 to 1 evenly", () => {
  const { uniform } = createRandom(1);
  const counts = new Uint32Array(10);
  for (let draw = 0; draw < 10_000; draw++) {
    const number = uniform();
    assert(number >= 0 && number < 1);
    counts[Math.floor(number * 10)]!++;
  }
  // Binomial(10000, 0.1): standard deviation 30.
  for (const count of counts) assertAlmostEquals(count, 1000, 150);
});

Deno.test("below covers its range evenly, up to 2^32", () => {
  const random = createRandom(2);
  const counts = new Uint32Array(3);
  for (let draw = 0; draw < 3000; draw++) counts[random.below(3)]!++;
  // Binomial(3000, 1/3): standard deviation 26.
  for (const count of counts) assertAlmostEquals(count, 1000, 130);
  // A remainder alone would make the lowest third of these as likely as the other two together.
  let low = 0;
  for (let draw = 0; draw < 3000; draw++) if (random.below(3 * 2 ** 30) < 2 ** 30) low++;
  assertAlmostEquals(low, 1000, 130);
  assertEquals(random.below(1), 0);
  assertEquals(restoreRandom([1, 2, 3, 4]).below(2 ** 32), 11520);
});

Deno.test("random functions refuse what they can't use", () => {
  assertThrows(() => createRandom(1.5), Error, "Random seed is 1.5; wanted an integer");
  assertThrows(() => createRandom(0, { stream: NaN }), Error, "Random stream is NaN");
  assertThrows(() => restoreRandom([0, 0, 0, 0]), Error, "not all 0");
  assertThrows(() => restoreRandom([1, 2, 3, -4]), Error, "Random state is [1,2,3,-4]");
  for (const limit of [0, 1.5, 2 ** 32 + 1]) {
    assertThrows(() => createRandom(0).below(limit), Error, "wanted an integer");
  }
});
