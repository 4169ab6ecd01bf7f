import { assertEquals, assertThrows } from "@std/assert";
import { measureAnswers } from "../../evaluation/answers.ts";
import { distinctN, selfBleu } from "../../evaluation/diversity.ts";
import { mean } from "../../evaluation/statistics.ts";

const few = { resamples: 50 };

Deno.test("measureAnswers measures every text, and resamples prompts", () => {
  const answers = [
    [{ text: "a b a b", tokens: 4, ended: true }, { text: "a b", tokens: 2, ended: false }],
    [{ text: "c d e", tokens: 3, ended: true }, { text: "c d e f g", tokens: 7, ended: true }],
  ];
  const measures = measureAnswers(answers, few);
  const means = Object.fromEntries(Object.entries(measures).map(([name, { mean }]) => [name, mean]));
  const texts = answers.flat().map(({ text }) => text);
  assertEquals(means, {
    "length/tokens": 4, // (3 + 5) / 2
    "length/words": 3.5, // (3 + 4) / 2
    ended: 0.75,
    repetition_4: 0,
    longest_run: 1, // 4, 0, 0, 0
    distinct_1: distinctN(texts, { n: 1 }),
    distinct_2: distinctN(texts, { n: 2 }),
    distinct_3: distinctN(texts, { n: 3 }),
    self_bleu: mean(selfBleu(texts)),
  });
  assertEquals(measures.ended!.count, 2);
  assertEquals(measures["length/tokens"]!.interval, [3, 5]);
});

Deno.test("measureAnswers leaves out what can't be known or measured", () => {
  assertEquals(Object.keys(measureAnswers([[{ text: "one two" }]], few)), [
    "length/words",
    "repetition_4",
    "longest_run",
    "distinct_1",
    "distinct_2",
  ]);
  assertEquals(Object.keys(measureAnswers([[{ text: "" }], [{ text: "" }]], few)), [
    "length/words",
    "repetition_4",
    "longest_run",
    "self_bleu",
  ]);
  assertThrows(() => measureAnswers([], few), RangeError, "no values");
});
