import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { measureDivergences, measurePairs, measurePerplexity } from "../../evaluation/preferences.ts";

const completion = (tokens: number, logp: number, reference: number, divergence = 0) => ({
  tokens,
  logp,
  others: [{ logp: reference, divergence }],
});

const PAIRS = [
  [completion(4, -4, -6), completion(2, -3, -3)], // log-ratios 2 and 0
  [completion(4, -8, -7), completion(4, -9, -10)], // -1 and 1
  [completion(2, -5, -5), completion(2, -5, -5)], // equal in all
  [completion(2, -2, -8), completion(8, -9, -6)], // 6 and -3
];

Deno.test("measurePairs compares log-probs, log-probs a token, and rewards", () => {
  // All by hand, from the log-ratios above.
  const measures = measurePairs(PAIRS, { others: ["reference"], beta: 0.5 });
  const means = Object.fromEntries(Object.entries(measures).map(([name, { mean }]) => [name, mean]));
  assertEquals(means, {
    "logps/accuracies": 2.5 / 4,
    "logps_per_token/accuracies": 3.5 / 4, // -1 > -1.5, -2 > -2.25, equal, -1 > -1.125
    "rewards_reference/accuracies": 2.5 / 4,
    "rewards_reference/margins": 0.5 * (2 - 2 + 0 + 9) / 4,
    "rewards_reference/chosen": 0.5 * (2 - 1 + 0 + 6) / 4,
    "rewards_reference/rejected": 0.5 * (0 + 1 + 0 - 3) / 4,
  });
});

Deno.test("measurePairs compares with no model, with several, and refuses no pairs", () => {
  assertEquals(Object.keys(measurePairs(PAIRS, { others: [], beta: 1 })), [
    "logps/accuracies",
    "logps_per_token/accuracies",
  ]);
  const two = PAIRS.map((pair) =>
    pair.map((one) => ({ ...one, others: [{ logp: one.logp, divergence: 0 }, one.others[0]!] }))
  );
  const measures = measurePairs(two, { others: ["itself", "reference"], beta: 1 });
  assertEquals(measures["rewards_itself/accuracies"]!.mean, 0.5);
  assertEquals(measures["rewards_reference/margins"]!.mean, 9 / 4);
  assertThrows(() => measurePairs([], { others: [], beta: 1 }), RangeError, "no values");
});

Deno.test("measureDivergences averages over completions and over tokens", () => {
  const records = [
    [completion(4, 0, 0, 2), completion(2, 0, 0, 3)],
    [completion(10, 0, 0, 4)],
  ];
  const measures = measureDivergences(records, { others: ["initial"] });
  assertEquals(measures["kl/initial"]!.mean, 9 / 3);
  assertEquals(measures["kl_per_token/initial"]!.mean, 9 / 16);
  assertEquals(measures["kl/initial"]!.count, 2); // records are what is resampled
  assertEquals(measures["kl/initial"]!.interval, [2.5, 4]);
});

Deno.test("measurePerplexity is e to the mean negative log-prob of a token", () => {
  const { mean, standardError, interval } = measurePerplexity([{ logp: -6, tokens: 4 }, {
    logp: -2,
    tokens: 1,
  }]);
  assertAlmostEquals(mean, Math.exp(8 / 5), 1e-12);
  assert(interval[0] < mean && mean < interval[1]);
  assertAlmostEquals(interval[0], Math.exp(6 / 4), 1e-12);
  assertAlmostEquals(interval[1], Math.exp(2), 1e-12);
  // By hand: residuals 6 - 1.6 × 4 and 2 - 1.6 × 1 are ∓0.4, by the mean of 2.5 tokens ∓0.16, whose standard error is 0.16.
  assertAlmostEquals(standardError!, 0.16 * mean, 1e-12);
});
