import { assertEquals, assertRejects } from "@std/assert";
import { readPrompts } from "../../data/prompts.ts";

async function read(...entries: unknown[]) {
  const path = await Deno.makeTempFile({ suffix: ".jsonl" });
  await Deno.writeTextFile(path, entries.map((entry) => JSON.stringify(entry) + "\n").join(""));
  try {
    return (await readPrompts(path)).map(({ prompt }) => prompt);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("readPrompts reads texts, conversations, and the questions of AlpacaEval and Arena-Hard", async () => {
  const messages = [{ role: "system", content: "Be brief." }, { role: "user", content: "Why?" }];
  const asked = (content: string) => [{ role: "user", content }];
  assertEquals(
    await read(
      { prompt: "Once" },
      { prompt: messages },
      { instruction: "Name three colours.", dataset: "x" },
      { instruction: "Translate.", input: "Bonjour" },
      { question_id: "1", turns: [{ content: "Why?" }] },
    ),
    ["Once", messages, asked("Name three colours."), asked("Translate.\n\nBonjour"), asked("Why?")],
  );
});

Deno.test("readPrompts refuses what asks nothing, or more than one question", async () => {
  await assertRejects(() => read({ prompt: "a" }, { text: "b" }), Error, ':2: "prompt" is missing');
  await assertRejects(() => read("a"), Error, ":1: wanted an object with a prompt");
  await assertRejects(
    () => read({ turns: [{ content: "a" }, { content: "b" }] }),
    Error,
    "more or less than one",
  );
});
