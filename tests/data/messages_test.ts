/** Messages beyond `{role, content}`: what TRL's documentation of data set formats shows, in other words. */
import { characterTokenizer, CHATML } from "./support.ts";
import { encodeExchange, parseRecord, RecordError, tokenizeRecord } from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";

const SOURCE = { file: "pairs.jsonl", line: 17 };
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const CALL = { type: "function", function: { name: "get_time", arguments: { zone: "CET" } } };
const TOOL = { type: "function", function: { name: "get_time", description: "Tells the time." } };

Deno.test("parseRecord keeps tool calls, names and answers of tools, and drops what is null", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { ...user("What time is it?"), name: "ann", tool_calls: null },
    { role: "assistant", content: null, tool_calls: [CALL] },
    { role: "tool", name: "get_time", content: "12:00" },
    assistant("Noon."),
  ];
  assertEquals(parseRecord({ messages, tools: [TOOL] }, SOURCE), {
    kind: "sft",
    form: "messages",
    line: 17,
    prompt: [messages[0]!, { ...user("What time is it?"), name: "ann" }, messages[2]!, messages[3]!],
    completion: [assistant("Noon.")],
    variables: { tools: [TOOL] },
  });
});

Deno.test("parseRecord takes a call without content for a completion", () => {
  const prompt = [user("Time?")];
  const call = { role: "assistant", tool_calls: [CALL] };
  const record = parseRecord({ prompt, chosen: [call], rejected: [assistant("No idea.")] }, SOURCE);
  assertEquals<unknown>(record, {
    kind: "paired",
    form: "messages",
    line: 17,
    prompt,
    chosen: [{ ...call, content: null }],
    rejected: [assistant("No idea.")],
  });
});

Deno.test("parseRecord joins text parts", () => {
  const parts = [{ type: "text", text: "Hello, " }, { type: "text", text: "you" }];
  const record = parseRecord({ prompt: [{ role: "user", content: parts }], completion: "Hi" }, SOURCE);
  assertEquals(record.prompt, [user("Hello, you")]);
});

Deno.test("parseRecord reads tools as JSON text, and chat_template_kwargs without their nulls", () => {
  const variables = (more: object) => {
    const record = parseRecord({ prompt: [user("p")], chosen: "c", rejected: "r", ...more }, SOURCE);
    return "variables" in record ? record.variables : undefined;
  };
  assertEquals(variables({ tools: JSON.stringify([TOOL]) }), { tools: [TOOL] });
  assertEquals(variables({ chat_template_kwargs: { enable_thinking: false, other: null }, tools: null }), {
    enable_thinking: false,
  });
  for (const nothing of [{}, { tools: [] }, { tools: "" }, { chat_template_kwargs: null }]) {
    assertEquals(variables(nothing), undefined);
  }
});

Deno.test("parseRecord takes a prompt's messages that both sides repeat once", () => {
  const prompt = [user("a"), assistant("b"), user("p")];
  const record = parseRecord({
    prompt,
    chosen: [...prompt, assistant("c")],
    rejected: [...prompt, assistant("r")],
  }, SOURCE);
  assertEquals<unknown>(record, {
    kind: "paired",
    form: "messages",
    line: 17,
    prompt,
    chosen: [assistant("c")],
    rejected: [assistant("r")],
  });
});

Deno.test("parseRecord refuses messages that it can't use, and names the place", () => {
  const cases: [object, string][] = [
    [
      { messages: [{ role: "user", content: [{ type: "image", url: "x" }] }, assistant("c")] },
      '"messages"[0].content[0] is of type "image"; wanted parts {type: "text", text}',
    ],
    [
      { messages: [{ role: "user", content: null }, assistant("c")] },
      '"messages"[0].content is null; wanted a string',
    ],
    [
      { messages: [{ role: "user", content: 3 }, assistant("c")] },
      '"messages"[0].content is 3; wanted a string',
    ],
    [{ prompt: [user("p")], completion: [user("c")] }, 'message of role "user" in its completion'],
    [
      { messages: [user("p"), assistant("c")], tools: "no JSON" },
      '"tools" is a string; wanted a list of tools',
    ],
    [
      { messages: [user("p"), assistant("c")], tools: { a: 1 } },
      '"tools" is an object; wanted a list of tools',
    ],
    [
      { messages: [user("p"), assistant("c")], chat_template_kwargs: "x" },
      '"chat_template_kwargs" is a string; wanted an object',
    ],
    [
      { question: "2 + 2?", chosen: "4", rejected: "5" },
      'the record has "question" but no "prompt"; rename that key',
    ],
  ];
  for (const [value, problem] of cases) assertThrows(() => parseRecord(value, SOURCE), RecordError, problem);
});

Deno.test("parseRecord takes HH's transcripts also where other columns are beside them", () => {
  const record = parseRecord({
    chosen: "\n\nHuman: Hi\n\nAssistant: Hello",
    rejected: "\n\nHuman: Hi\n\nAssistant: What?",
    query: "Hi",
  }, SOURCE);
  assertEquals(record.prompt, "\n\nHuman: Hi\n\nAssistant:");
});

const TEMPLATE = "{% if tools %}T{{ tools[0].function.name }}{% endif %}{{ mood }}" + CHATML;

Deno.test("a record's own variables reach the template, and win over the tokenizer's", () => {
  const tokenizer = characterTokenizer({}, {
    chatTemplate: TEMPLATE,
    chatTemplateVariables: { mood: "dull" },
  });
  const promptOf = (more: object) => {
    const record = parseRecord({ messages: [user("hi"), assistant("yes")], ...more }, SOURCE);
    const example = tokenizeRecord(record, tokenizer);
    return typeof example === "string" ? example : tokenizer.decode(example.prompt);
  };
  const rest = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
  assertEquals(promptOf({}), "dull" + rest);
  assertEquals(promptOf({ chat_template_kwargs: { mood: "gay" } }), "gay" + rest);
  assertEquals(
    promptOf({ tools: [{ type: "function", function: { name: "abc" } }] }),
    "Tabcdull" + rest,
  );
  const { prompt } = encodeExchange({
    form: "messages",
    prompt: [user("hi")],
    completions: [[assistant("yes")]],
    variables: { mood: "x" },
  }, { tokenizer, addEos: true });
  assertEquals(tokenizer.decode(prompt), "x" + rest);
});
