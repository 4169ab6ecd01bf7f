import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { judge } from "../../../examples/overoptimization/gold.ts";
import type { Order } from "../../../examples/overoptimization/language.ts";
import {
  labelPreferences,
  noiseRate,
  preferenceChance,
} from "../../../examples/overoptimization/preferences.ts";
import type { Reply } from "../../../examples/overoptimization/replies.ts";

const order: Order = { customer: "Anna", thing: "lamp", attributes: ["small", "red", "wooden"] };

function reply(text: string): Reply {
  return { order, prompt: [0], completion: [1], text, judgement: judge(order, text) };
}

const good = reply("The lamp is red. The lamp is small."); // 2
const poor = reply("The lamp is red."); // 1
const filler = reply("It is Monday."); // 0
const otherFiller = reply("The weather is fine."); // 0

Deno.test("preferenceChance is Bradley and Terry's", () => {
  assertEquals(preferenceChance(0, { temperature: 1 }), 0.5);
  // 1 / (1 + e^-1), and with twice the temperature 1 / (1 + e^-1/2).
  assertAlmostEquals(preferenceChance(1, { temperature: 1 }), 0.7310585786300049);
  assertAlmostEquals(preferenceChance(1, { temperature: 2 }), 0.6224593312018546);
  assertAlmostEquals(preferenceChance(-1, { temperature: 1 }), 1 - 0.7310585786300049);
  assertEquals(preferenceChance(1, { temperature: 0 }), 1);
  assertEquals(preferenceChance(-1, { temperature: 0 }), 0);
});

Deno.test("labelPreferences errs at Bradley and Terry's rate", () => {
  const count = 10_000;
  const replies = Array.from({ length: count }, () => [poor, good]).flat();
  const preferences = labelPreferences(replies, { temperature: 1, seed: 4 });
  assertEquals(preferences.length, count);
  // 1 − σ(1) = 0.26894 with a deviation of 0.0044; four of them on either side.
  assertAlmostEquals(noiseRate(preferences), 0.26894, 0.018);
});

Deno.test("labelPreferences tosses a coin between equals, and leaves out what is the same", () => {
  const replies = Array.from({ length: 4000 }, () => [filler, otherFiller]).flat();
  const preferences = labelPreferences([...replies, poor, poor], { temperature: 0, seed: 1 });
  assertEquals(preferences.length, 4000);
  const first = preferences.filter(({ chosen }) => chosen === filler).length;
  assert(Math.abs(first - 2000) < 127, `${first}`); // a deviation of 32, four times
});

Deno.test("labelPreferences without noise always prefers the better reply, and noiseRate is 0", () => {
  const preferences = labelPreferences([poor, good, good, filler, filler, poor], { temperature: 0, seed: 0 });
  assertEquals(preferences.map(({ chosen }) => chosen), [good, good, poor]);
  assertEquals(noiseRate(preferences), 0);
  assertEquals(noiseRate([{ chosen: filler, rejected: good }, { chosen: good, rejected: poor }]), 0.5);
});
