import { assertEquals } from "@std/assert";
import {
  chosenTokens,
  completionExamples,
  countTokens,
  microBatches,
  pairExamples,
  recordMarks,
} from "../../training/records.ts";

const ids = (...values: number[]) => Int32Array.of(...values);
const pairs = pairExamples([
  { line: 3, prompt: ids(1, 2), chosen: ids(3), rejected: ids(4, 5) },
  { line: 7, prompt: ids(6), chosen: ids(7, 8, 9), rejected: ids(7) },
]);

Deno.test("pairExamples puts the chosen completion first", () => {
  assertEquals(pairs[0], { line: 3, prompt: ids(1, 2), completions: [ids(3), ids(4, 5)], label: 1 });
});

Deno.test("recordMarks gives margins where all records have one", () => {
  const withMargins = pairExamples([
    { line: 3, prompt: ids(1), chosen: ids(3), rejected: ids(4), margin: 0.5 },
    { line: 7, prompt: ids(6), chosen: ids(7), rejected: ids(8), margin: 0 },
  ]);
  assertEquals(recordMarks(withMargins), { labels: Float32Array.of(1, 1), margins: Float32Array.of(0.5, 0) });
  assertEquals(recordMarks([...withMargins, ...pairs]), { labels: Float32Array.of(1, 1, 1, 1) });
});

Deno.test("completionExamples takes demonstrations for desirable", () => {
  const completion = { line: 1, prompt: ids(1), completion: ids(2) };
  const examples = completionExamples([
    completion,
    { ...completion, label: true },
    { ...completion, label: false },
  ]);
  assertEquals(examples.map(({ label }) => label), [1, 1, 0]);
  assertEquals(examples[2]!.completions, [ids(2)]);
});

Deno.test("chosenTokens counts first completions, countTokens everything once", () => {
  assertEquals(chosenTokens(pairs), 1 + 3);
  assertEquals(countTokens(pairs), 2 + 1 + 2 + 1 + 3 + 1);
});

Deno.test("microBatches leaves what is over to a smaller last one", () => {
  assertEquals(microBatches([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
  assertEquals(microBatches([], 2), []);
});
