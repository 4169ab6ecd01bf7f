import { mismatchCompletions } from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";

const example = (line: number, prompt: number[], completion: number[]) => ({
  line,
  prompt: Int32Array.from(prompt),
  completion: Int32Array.from(completion),
  label: true,
});

Deno.test("mismatchCompletions pairs prompt i with completion i - 1", () => {
  const batch = [example(4, [1], [10]), example(7, [2], [20]), example(9, [3], [30])];
  assertEquals(mismatchCompletions(batch), [
    { line: 4, prompt: Int32Array.of(1), completion: Int32Array.of(30) },
    { line: 7, prompt: Int32Array.of(2), completion: Int32Array.of(10) },
    { line: 9, prompt: Int32Array.of(3), completion: Int32Array.of(20) },
  ]);
});

Deno.test("mismatchCompletions keeps new pairings within the limits", () => {
  // Each has 6 tokens; a long prompt with a long completion would have 8.
  const batch = [example(1, [0, 1, 2, 3], [10, 11]), example(2, [0, 5], [20, 21, 22, 23])];
  const [first, second] = mismatchCompletions(batch, { maxLength: 6, bosId: 0 });
  assertEquals([first?.prompt, first?.completion], [Int32Array.of(0, 2, 3), Int32Array.of(20, 21, 22)]);
  assertEquals([second?.prompt, second?.completion], [Int32Array.of(0, 5), Int32Array.of(10, 11)]);
});

Deno.test("mismatchCompletions refuses a batch of one", () => {
  assertThrows(() => mismatchCompletions([example(1, [1], [2])]), Error, "batch size of 2 or more");
});
