import { RecordError, splitSharedPrompt } from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";

const SOURCE = { file: "hh.jsonl", line: 3 };

Deno.test("splitSharedPrompt splits transcripts after the last assistant mark", () => {
  const prompt = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:";
  assertEquals(splitSharedPrompt(`${prompt} Because.`, `${prompt} Because not.`, SOURCE), {
    prompt,
    chosen: " Because.",
    rejected: " Because not.",
  });
});

Deno.test("splitSharedPrompt refuses transcripts that differ before the last assistant turn", () => {
  const start = "\n\nHuman: Hi\n\nAssistant: Hello";
  const message = 'hh.jsonl:3: "chosen" and "rejected" differ before their last assistant turn';
  assertThrows(
    () => splitSharedPrompt(start, `${start}\n\nHuman: Why?\n\nAssistant: So`, SOURCE),
    RecordError,
    message,
  );
  // Prompts of equal length that differ in their text.
  const [a, b] = ["\n\nHuman: Hi\n\nAssistant: x", "\n\nHuman: Ho\n\nAssistant: x"] as const;
  assertThrows(() => splitSharedPrompt(a, b, SOURCE), RecordError, message);
});

Deno.test("splitSharedPrompt refuses transcripts that end with a human turn", () => {
  const start = "\n\nHuman: Hi\n\nAssistant: Hello";
  assertThrows(
    () => splitSharedPrompt(start, `${start}\n\nHuman: Why?`, SOURCE),
    RecordError,
    '"rejected" ends with a human turn',
  );
});

Deno.test("splitSharedPrompt cuts other texts between words", () => {
  const cases: [string, string, string][] = [
    // chosen, rejected, prompt
    ["The sky is blue.", "The sky is black.", "The sky is"],
    ["Q: 2+2? A: 4", "Q: 2+2? A: 44", "Q: 2+2? A:"],
    ["Is it?\nYes", "Is it?\nNo", "Is it?\n"],
    ["Is it?\nYes indeed", "Is it?\nYes", "Is it?\n"],
    ["A:  x", "A:  y", "A: "],
    ["blue sky", "blueish sky", ""],
    ["same words", "same words", "same"],
    ["abc", "xyz", ""],
    ["one\n", "one\n", ""],
  ];
  for (const [chosen, rejected, prompt] of cases) {
    const expected = { prompt, chosen: chosen.slice(prompt.length), rejected: rejected.slice(prompt.length) };
    assertEquals(splitSharedPrompt(chosen, rejected, SOURCE), expected);
  }
});
