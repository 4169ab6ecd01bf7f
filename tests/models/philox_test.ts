import { assert, assertEquals, assertThrows } from "@std/assert";
import { philox, philoxUniform } from "../../models/philox.ts";

Deno.test("philox gives the known answers of its authors' library", () => {
  // Random123, tests/kat_vectors, the three lines of philox4x32 with 10 rounds.
  const all = 0xffffffff;
  assertEquals(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  assertEquals(philox([all, all, all, all], [all, all]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  assertEquals(
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

Deno.test("philoxUniform takes its 53 bits from the first two words", () => {
  // (0x6627e8d5 >>> 5) · 2²⁶ + (0xe169c58d >>> 6), over 2⁵³.
  const expected = (53559110 * 67108864 + 59090710) / 2 ** 53;
  assertEquals(philoxUniform({ seed: 0, stream: 0, step: 0 }), expected);
});

Deno.test("philoxUniform differs with seed, stream and step, large and negative seeds included", () => {
  const seeds = [0, 1, -1, 2 ** 32, -(2 ** 32), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  const numbers = seeds.flatMap((seed) =>
    [0, 1, 2 ** 33].flatMap((stream) => [0, 1, 2 ** 33].map((step) => philoxUniform({ seed, stream, step })))
  );
  assertEquals(new Set(numbers).size, numbers.length);
  assert(numbers.every((number) => number >= 0 && number < 1));
});

Deno.test("philoxUniform is uniform along steps and along streams", () => {
  const count = 10_000, bins = 20;
  for (const along of ["step", "stream"] as const) {
    const counts = Array(bins).fill(0);
    for (let i = 0; i < count; i++) {
      counts[Math.floor(philoxUniform({ seed: 3, stream: 0, step: 0, [along]: i }) * bins)]++;
    }
    const chiSquare = counts.reduce((sum, n) => sum + (n - count / bins) ** 2 / (count / bins), 0);
    // 19 degrees of freedom: between 6.8 and 36.2 in 99 % of cases.
    assert(chiSquare > 6.8 && chiSquare < 36.2, `χ² along ${along} is ${chiSquare}`);
  }
});

Deno.test("philoxUniform refuses what isn't an integer, and negative streams and steps", () => {
  const index = { seed: 0, stream: 0, step: 0 };
  assertThrows(
    () => philoxUniform({ ...index, seed: 0.5 }),
    RangeError,
    "The random seed is 0.5; wanted an integer",
  );
  assertThrows(
    () => philoxUniform({ ...index, stream: -1 }),
    RangeError,
    "stream is -1; wanted an integer from 0",
  );
  assertThrows(
    () => philoxUniform({ ...index, step: 2 ** 53 }),
    RangeError,
    "step is 9007199254740992; wanted",
  );
});
