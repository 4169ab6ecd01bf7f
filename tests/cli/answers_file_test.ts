import { assertEquals, assertThrows } from "@std/assert";
import { formatAnswer } from "../../cli/answers_file.ts";

const answer = { prompt: "Why?", entry: { prompt: "Why?" }, completion: "Because.", tokens: 2 };
const options = { model: "mine", time: 1_700_000_000, index: 4 };

Deno.test("answers as JSON lines are the prompt and the completion", () => {
  assertEquals(formatAnswer(answer, { ...options, format: "jsonl" }), {
    prompt: "Why?",
    completion: "Because.",
  });
});

// The keys that alpaca_eval's README asks of model_outputs, and those of its own evaluation set.
Deno.test("answers for AlpacaEval keep the question and name the model", () => {
  const entry = { dataset: "helpful_base", instruction: "Why?", input: "the sky" };
  const prompt = [{ role: "user", content: "Why?\n\nthe sky" }];
  assertEquals(formatAnswer({ ...answer, prompt, entry }, { ...options, format: "alpaca_eval" }), {
    dataset: "helpful_base",
    instruction: "Why?",
    input: "the sky",
    output: "Because.",
    generator: "mine",
  });
  assertEquals(formatAnswer(answer, { ...options, format: "alpaca_eval" }), {
    instruction: "Why?",
    output: "Because.",
    generator: "mine",
  });
  const conversation = [{ role: "user", content: "a" }, { role: "assistant", content: "b" }, ...prompt];
  assertThrows(
    () => formatAnswer({ ...answer, prompt: conversation, entry: {} }, { ...options, format: "alpaca_eval" }),
    Error,
    "prompt 5 is a conversation",
  );
});

// The keys that arena-hard-auto's gen_answer.py writes.
Deno.test("answers for Arena-Hard are lines of a model_answer file", () => {
  const entry = { question_id: "q7", turns: [{ content: "Why?" }] };
  const { answer_id, ...rest } = formatAnswer({ ...answer, entry }, {
    ...options,
    format: "arena_hard",
  }) as Record<
    string,
    unknown
  >;
  assertEquals(typeof answer_id, "string");
  assertEquals(rest, {
    question_id: "q7",
    model_id: "mine",
    choices: [{ index: 0, turns: [{ content: "Because.", token_len: 2 }] }],
    tstamp: 1_700_000_000,
    conv_metadata: { token_len: 2 },
  });
  assertThrows(
    () => formatAnswer(answer, { ...options, format: "arena_hard" }),
    Error,
    "output.format: arena_hard needs a question_id of every prompt; prompt 5 has none",
  );
});
