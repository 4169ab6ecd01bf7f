import { recommendKtoWeights, summarizeLengths, summarizeRecords } from "@tr/align/data";
import { hashTokens } from "../../data/hash_tokens.ts";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { characterTokenizer, idsOf } from "./support.ts";

const tokenizer = characterTokenizer();
const [BOS, EOS, END] = [0, 1, 3];
const ids = (...values: number[]) => Int32Array.from(values);

Deno.test("summarizeRecords counts lengths before cutting, beginnings, ends and repetitions", () => {
  const [a, b] = idsOf("ab") as [number, number];
  const pair = (line: number, chosen: Int32Array, rejected: Int32Array) => ({
    line,
    prompt: ids(BOS, a),
    chosen,
    rejected,
  });
  const records = [
    { ...pair(1, ids(a, EOS), ids(b, b, END)), cut: { prompt: 3, chosen: 0, rejected: 0 } },
    pair(2, ids(b, b, END), ids(a, EOS)),
    pair(3, ids(a, EOS), ids(b, b, END)),
    { ...pair(5, ids(a, EOS, b), ids(a)), prompt: ids(BOS, BOS, b) },
  ];
  const { lengths, tokens, special, duplicates, labels } = summarizeRecords(records, tokenizer);
  const { histogram: _, ...prompt } = lengths.prompt!;
  assertEquals(prompt, { count: 4, mean: 3, median: 2, p90: 5, p99: 5, longest: 5 });
  assertEquals([lengths.chosen!.longest, lengths.rejected!.longest, lengths.whole!.longest], [3, 3, 8]);
  assertEquals(tokens, { completions: 19, all: 28 });
  assertEquals(special.bos, { "1": 3, "2": 1 });
  assertEquals(special.end, { "</s>": 3, "<|im_end|>": 3, "none": 2 });
  assertEquals(special.eosInside, 1);
  assertEquals(duplicates, { records: 1, lines: [3], prompts: 2, contradictions: 3 });
  assertEquals(labels, undefined);
});

Deno.test("summarizeRecords tells labels apart, also in otherwise equal records", () => {
  const record = (line: number, label: boolean) => ({ line, prompt: ids(5), completion: ids(6), label });
  const { labels, duplicates } = summarizeRecords(
    [record(1, true), record(2, false), record(3, true)],
    tokenizer,
  );
  assertEquals(labels, { desirable: 2, undesirable: 1 });
  assertEquals(duplicates, { records: 1, lines: [3], prompts: 2, contradictions: 0 });
});

Deno.test("summarizeLengths puts every length into one range, a few long ones into the last", () => {
  const values = [...Array.from({ length: 199 }, (_, i) => i % 100), 5000];
  const { histogram, median, p99, longest } = summarizeLengths(values);
  // Sorted: 0, 0, 1, 1, …, 98, 98, 99, 5000; the 100th is 49 and the 198th 98.
  assertEquals([median, p99, longest], [49, 98, 5000]);
  assertEquals(histogram.map(({ count }) => count), [20, 20, 20, 20, 20, 20, 20, 20, 20, 19, 1]);
  assertEquals(histogram.at(-1), { from: 100, to: 5001, count: 1 });
});

// Section 4.2 of arXiv 2402.01306: the ratio is to be from 1 to 4/3.
Deno.test("recommendKtoWeights keeps the ratio of the classes within 1 and 4/3 at both ends", () => {
  for (const [desirable, undesirable] of [[1, 10], [10, 1], [7, 9]] as const) {
    const weights = recommendKtoWeights({ desirable, undesirable })!;
    const ratio = (desirableWeight: number, undesirableWeight: number) =>
      recommendKtoWeights({ desirable, undesirable }, { desirableWeight, undesirableWeight })!.ratio;
    assertAlmostEquals(ratio(weights.desirable[0], 1), 1);
    assertAlmostEquals(ratio(weights.desirable[1], 1), 4 / 3);
    assertAlmostEquals(ratio(1, weights.undesirable[0]), 4 / 3);
    assertAlmostEquals(ratio(1, weights.undesirable[1]), 1);
  }
  assertEquals(recommendKtoWeights({ desirable: 10, undesirable: 10 })!.isBalanced, true);
  assertEquals(recommendKtoWeights({ desirable: 9, undesirable: 10 })!.isBalanced, false);
  assertEquals(recommendKtoWeights({ desirable: 14, undesirable: 10 })!.isBalanced, false);
  assertEquals(recommendKtoWeights({ desirable: 0, undesirable: 10 }), null);
});

Deno.test("hashTokens differs by value, order, boundary and seed", () => {
  const hashes = [
    hashTokens([[1, 2], [3]]),
    hashTokens([[1], [2, 3]]),
    hashTokens([[2, 1], [3]]),
    hashTokens([[1, 2, 3]]),
    hashTokens([[1, 2], [3]], [5, 6]),
    hashTokens([]),
  ];
  assertEquals(new Set(hashes).size, hashes.length);
  assertEquals(hashTokens([Int32Array.of(1, 2), [3]]), hashes[0]);
  const many = Array.from({ length: 20_000 }, (_, i) => hashTokens([[i]]));
  assertEquals(new Set(many).size, many.length);
  // The mean of 20,000 uniform numbers deviates from a half by 0.002, one standard deviation.
  const mean = many.reduce((sum, hash) => sum + hash / 2 ** 53, 0) / many.length;
  assertAlmostEquals(mean, 0.5, 0.01);
});
