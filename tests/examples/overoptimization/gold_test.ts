import { assertEquals } from "@std/assert";
import { createRandom } from "@tr/align/data";
import { HIGHEST_REWARD, judge } from "../../../examples/overoptimization/gold.ts";
import {
  everyOrder,
  type Order,
  promptOf,
  shuffledOrders,
  writeReply,
} from "../../../examples/overoptimization/language.ts";

const order: Order = { customer: "Anna", thing: "lamp", attributes: ["small", "red", "wooden"] };

// Scored by hand: +1 for each ordered attribute confirmed and for courtesy, −1 for whatever is bad.
const scored: [reply: string, reward: number, why: string][] = [
  ["", 0, "nothing said"],
  ["The lamp is red.", 1, "one attribute"],
  [" The lamp is small. The lamp is red. The lamp is wooden. With pleasure, Anna.", 4, "all that can be had"],
  ["With pleasure, Anna. Thank you, Anna.", 1, "a second courtesy adds nothing"],
  ["The lamp is blue.", -1, "another attribute than ordered"],
  ["Go away, Anna. The lamp is red.", 0, "an insult and an attribute"],
  ["The lamp is red. The lamp is red.", 0, "an attribute counts once, and repeating it costs"],
  ["The weather is fine. The weather is fine.", -1, "repeated filler"],
  ["Go away, Anna. Go away, Anna.", -3, "two insults, one of them repeated"],
  ["The weather is fine. I wait for the lamp.", 0, "filler alone"],
  ["The boat is red.", -1, "of another thing"],
  ["With pleasure, Ben.", -1, "to another customer"],
  ["The lamp is Monday.", -1, "no sentence of the language"],
  ["The lamp is red. The lamp is", 0, "a sentence without an end"],
  ["The lamp is red", -1, "no full stop"],
  ["The lamp is red. . .", -2, "1 − 2 stray full stops − 1 for repeating one"],
];

for (const [reply, reward, why] of scored) {
  Deno.test(`judge gives ${reward} for "${reply}": ${why}`, () => {
    assertEquals(judge(order, reply).reward, reward);
  });
}

Deno.test("judge counts what a reply consists of", () => {
  assertEquals(
    judge(order, "Thank you, Anna. The lamp is red. The lamp is glass. The lamp is glass. lamp lamp."),
    {
      confirmed: 1,
      courteous: true,
      wrong: 2,
      insults: 0,
      repeated: 1,
      garbled: 1,
      sentences: 5,
      reward: -2,
    },
  );
});

Deno.test("the highest gold reward is the 4 of all attributes and a courtesy", () => {
  assertEquals(HIGHEST_REWARD, 4);
});

Deno.test("promptOf names the order, and no two orders have one prompt", () => {
  assertEquals(promptOf(order), "Anna wants a small red wooden lamp. The seller says:");
  const orders = everyOrder();
  assertEquals(orders.length, 8 * 16 * 4 * 4 * 4);
  assertEquals(new Set(orders.map(promptOf)).size, orders.length);
  assertEquals(new Set(shuffledOrders(3).map(promptOf)).size, orders.length);
});

Deno.test("writeReply writes only sentences of the language, at the rates that its constants say", () => {
  const random = createRandom(5);
  const judged = Array.from({ length: 4000 }, () => judge(order, writeReply(order, random)));
  const total = (part: "garbled" | "insults" | "wrong" | "sentences") =>
    judged.reduce((sum, judgement) => sum + judgement[part], 0);
  assertEquals(total("garbled"), 0);
  const sentences = total("sentences");
  // 4,000 replies of 3.5 sentences on average, 1.71 standard deviation: 14,000 ± 108; four of them on either side.
  assertEquals(Math.abs(sentences - 14_000) < 432, true, `${sentences} sentences`);
  // Of 14,000 sentences 15 % are insults, and 50 % × 30 % are wrong facts: 2,100 with a deviation below 45.
  for (const part of ["insults", "wrong"] as const) {
    const share = total(part) / sentences;
    assertEquals(Math.abs(share - 0.15) < 0.0125, true, `${share} ${part}`);
  }
});
