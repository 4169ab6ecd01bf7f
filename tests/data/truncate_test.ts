import { cutPrompt, fitLengths } from "@tr/align/data";
import { assert, assertEquals, assertThrows } from "@std/assert";

Deno.test("fitLengths leaves what fits alone", () => {
  const lengths = { prompt: 5, completions: [3, 4] };
  assertEquals(fitLengths(lengths, {}), lengths);
  assertEquals(fitLengths(lengths, { maxLength: 9, maxPromptLength: 5 }), lengths);
});

Deno.test("fitLengths cuts the prompt first, to half at most, then completions", () => {
  const fit = (prompt: number, completions: number[], maxLength: number, maxPromptLength?: number) => {
    const limits = maxPromptLength === undefined ? { maxLength } : { maxLength, maxPromptLength };
    const fitted = fitLengths({ prompt, completions }, limits);
    return [fitted.prompt, ...fitted.completions];
  };
  assertEquals(fit(6, [4, 2], 8), [4, 4, 2]);
  assertEquals(fit(6, [3, 2], 8), [5, 3, 2]);
  assertEquals(fit(6, [9, 2], 8), [4, 4, 2]);
  assertEquals(fit(3, [9, 2], 8), [3, 5, 2]);
  assertEquals(fit(6, [1, 1], 8, 2), [2, 1, 1]);
  assertEquals(fit(6, [9, 1], 8, 2), [2, 6, 1]);
  assertEquals(fit(6, [9, 1], 2), [1, 1, 1]);
});

Deno.test("fitLengths keeps every limit and never empties a part", () => {
  const range = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index);
  for (const maxLength of range(2, 9)) {
    for (const maxPromptLength of range(1, 10)) {
      for (const prompt of range(1, 10)) {
        for (const first of range(1, 10)) {
          for (const second of [1, 4, 12]) {
            const lengths = { prompt, completions: [first, second] };
            const kept = fitLengths(lengths, { maxLength, maxPromptLength });
            const context = JSON.stringify({ lengths, maxLength, maxPromptLength, kept });
            assert(kept.prompt >= 1 && kept.prompt <= Math.min(prompt, maxPromptLength), context);
            kept.completions.forEach((length, index) => {
              assert(length >= 1 && length <= lengths.completions[index]!, context);
              assert(kept.prompt + length <= maxLength, context);
            });
          }
        }
      }
    }
  }
});

Deno.test("fitLengths refuses limits that leave no room", () => {
  const lengths = { prompt: 1, completions: [1] };
  assertThrows(
    () => fitLengths(lengths, { maxLength: 1 }),
    Error,
    "maxLength is 1; wanted an integer of at least 2",
  );
  assertThrows(() => fitLengths(lengths, { maxPromptLength: 0 }), Error, "maxPromptLength is 0; wanted");
  assertThrows(() => fitLengths(lengths, { maxLength: 4.5 }), Error, "maxLength is 4.5");
  assertThrows(() => fitLengths(lengths, { maxLength: NaN }), Error, "maxLength is NaN");
});

Deno.test("cutPrompt keeps the end behind BOS, or the start", () => {
  const prompt = Int32Array.of(9, 1, 2, 3, 4);
  const cut = (
    length: number,
    truncate: "keep_start" | "keep_end",
    bosId: number | null,
  ) => [...cutPrompt(prompt, { length, truncate, bosId })];
  assertEquals(cut(3, "keep_end", 9), [9, 3, 4]);
  assertEquals(cut(3, "keep_end", null), [2, 3, 4]);
  assertEquals(cut(3, "keep_end", 7), [2, 3, 4]);
  assertEquals(cut(1, "keep_end", 9), [4]);
  assertEquals(cut(3, "keep_start", 9), [9, 1, 2]);
  assertEquals(cut(5, "keep_end", 9), [9, 1, 2, 3, 4]);
  assertEquals([...prompt], [9, 1, 2, 3, 4]);
});
