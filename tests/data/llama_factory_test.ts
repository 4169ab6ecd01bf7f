/** Both layouts of LLaMA-Factory, after the examples of its data README in other words. */
import { parseDatasetInfo, parseRecord, RecordError } from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";

const SOURCE = { file: "data.json", line: 17 };
const system = { role: "system", content: "Be kind." };
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const human = (value: string) => ({ from: "human", value });
const gpt = (value: string) => ({ from: "gpt", value });
const base = { form: "messages", line: 17 } as const;

const forms: { what: string; value: object; record: object }[] = [
  {
    what: "alpaca demonstrations with everything",
    value: {
      instruction: "Add these.",
      input: "2 and 2",
      output: "4",
      system: "Be kind.",
      history: [["Hi", "Hello"], ["Ready?", "Yes"]],
    },
    record: {
      kind: "sft",
      ...base,
      prompt: [
        system,
        user("Hi"),
        assistant("Hello"),
        user("Ready?"),
        assistant("Yes"),
        user("Add these.\n2 and 2"),
      ],
      completion: [assistant("4")],
    },
  },
  {
    what: "alpaca demonstrations with empty columns",
    value: { instruction: "Add these.", input: "", output: "4", system: "", history: [] },
    record: { kind: "sft", ...base, prompt: [user("Add these.")], completion: [assistant("4")] },
  },
  {
    what: "alpaca preferences",
    value: { instruction: "Add", input: "2 and 2", chosen: "4", rejected: "5" },
    record: {
      kind: "paired",
      ...base,
      prompt: [user("Add\n2 and 2")],
      chosen: [assistant("4")],
      rejected: [assistant("5")],
    },
  },
  {
    what: "alpaca KTO",
    value: { instruction: "Add", input: null, output: "5", kto_tag: false },
    record: { kind: "unpaired", ...base, prompt: [user("Add")], completion: [assistant("5")], label: false },
  },
  {
    what: "sharegpt demonstrations with a system column and tools",
    value: {
      conversations: [human("a"), gpt("b"), human("c"), gpt("d")],
      system: "Be kind.",
      tools: '[{"name": "f"}]',
    },
    record: {
      kind: "sft",
      ...base,
      prompt: [system, user("a"), assistant("b"), user("c")],
      completion: [assistant("d")],
      variables: { tools: [{ name: "f" }] },
    },
  },
  {
    what: "sharegpt conversations with a call of a tool and a system turn that wins over the column",
    value: {
      conversations: [
        { from: "system", value: "Be kind." },
        human("Time?"),
        { from: "function_call", value: '{"name": "clock", "arguments": {"zone": "CET"}}' },
        { from: "observation", value: "12:00" },
        gpt("Noon"),
      ],
      system: "Be quick.",
    },
    record: {
      kind: "sft",
      ...base,
      prompt: [
        system,
        user("Time?"),
        {
          role: "assistant",
          content: null,
          tool_calls: [{ type: "function", function: { name: "clock", arguments: { zone: "CET" } } }],
        },
        { role: "tool", content: "12:00" },
      ],
      completion: [assistant("Noon")],
    },
  },
  {
    what: "sharegpt preferences",
    value: { conversations: [human("a"), gpt("b"), human("c")], chosen: gpt("good"), rejected: gpt("bad") },
    record: {
      kind: "paired",
      ...base,
      prompt: [user("a"), assistant("b"), user("c")],
      chosen: [assistant("good")],
      rejected: [assistant("bad")],
    },
  },
  {
    what: "preferences in the openai form",
    value: { messages: [system, user("a")], chosen: assistant("good"), rejected: assistant("bad") },
    record: {
      kind: "paired",
      ...base,
      prompt: [system, user("a")],
      chosen: [assistant("good")],
      rejected: [assistant("bad")],
    },
  },
  {
    what: "sharegpt KTO",
    value: { conversations: [human("a"), gpt("b")], kto_tag: true },
    record: { kind: "unpaired", ...base, prompt: [user("a")], completion: [assistant("b")], label: true },
  },
  {
    what: "KTO in the openai form",
    value: { messages: [user("a"), assistant("b")], kto_tag: true },
    record: { kind: "unpaired", ...base, prompt: [user("a")], completion: [assistant("b")], label: true },
  },
];
for (const { what, value, record } of forms) {
  Deno.test(`parseRecord recognizes ${what}`, () => {
    assertEquals<unknown>(parseRecord(value, SOURCE), record);
  });
}

Deno.test("parseRecord leaves UltraFeedback's messages beside chosen and rejected alone", () => {
  const turns = (answer: string) => [user("p"), assistant(answer)];
  const record = parseRecord(
    { prompt: "p", messages: turns("c"), chosen: turns("c"), rejected: turns("r") },
    SOURCE,
  );
  assertEquals([record.kind, record.prompt], ["paired", [user("p")]]);
});

const wrong: [object, string][] = [
  [{ instruction: "a" }, '"output" is missing; wanted a string'],
  [{ instruction: 3, output: "b" }, '"instruction" is 3; wanted a string'],
  [{ instruction: "a", input: 3, output: "b" }, '"input" is 3; wanted a string'],
  [{ instruction: "a", output: "" }, '"output" is empty; wanted a completion'],
  [{ instruction: "a", chosen: "b" }, '"rejected" is missing; wanted a string'],
  [{ instruction: "a", output: "b", kto_tag: "yes" }, '"kto_tag" is a string; wanted true or false'],
  [
    { instruction: "a", output: "b", history: "c" },
    '"history" is a string; wanted a list of [instruction, answer]',
  ],
  [{ instruction: "a", output: "b", history: [["c"]] }, '"history"[0] is a list; wanted a pair of texts'],
  [{ instruction: "a", output: "b", system: 3 }, '"system" is 3; wanted a string'],
  [{ conversations: "a" }, '"conversations" is a string; wanted a list'],
  [{ conversations: [] }, '"conversations" is empty'],
  [{ conversations: [human("a")] }, 'message of role "user" in its completion'],
  [
    { conversations: [{ from: "bot", value: "a" }] },
    '"conversations"[0].from is "bot"; wanted one of "human", ',
  ],
  [{ conversations: [{ from: "human" }] }, '"conversations"[0].value is missing; wanted a string'],
  [
    { conversations: [human("a"), { from: "function_call", value: "f()" }] },
    '"conversations"[1].value is not a call of a tool; wanted JSON {"name": …',
  ],
  [
    { conversations: [human("a"), gpt("b")], chosen: gpt("c"), rejected: gpt("d") },
    `"conversations" ends with the assistant's turn; wanted a conversation that "chosen" and "rejected" answer`,
  ],
  [{ conversations: [human("a")], chosen: human("c"), rejected: gpt("d") }, 'message of role "user"'],
  [{ conversations: [human("a")], chosen: gpt("c"), rejected: null }, '"rejected" is null; wanted a message'],
];
for (const [value, problem] of wrong) {
  Deno.test(`parseRecord refuses ${JSON.stringify(value)}`, () => {
    const { message } = assertThrows(() => parseRecord(value, SOURCE), RecordError, problem);
    assertEquals(message.startsWith("data.json:17: "), true);
  });
}

const infoOf = (entry: unknown) => parseDatasetInfo({ mine: entry }, { name: "mine", file: "info.json" });

Deno.test("parseDatasetInfo maps columns, so that other names are read", () => {
  const { layout } = infoOf({
    file_name: "orca.json",
    ranking: true,
    columns: { prompt: "question", system: "persona", chosen: "good", rejected: "bad" },
  });
  const value = { question: "2 + 2?", persona: "Be kind.", good: "4", bad: "5", input: "not a column" };
  assertEquals<unknown>(parseRecord(value, SOURCE, { layout }), {
    kind: "paired",
    ...base,
    prompt: [system, user("2 + 2?")],
    chosen: [assistant("4")],
    rejected: [assistant("5")],
  });
  assertThrows(
    () => parseRecord({ question: "q", good: "4" }, SOURCE, { layout }),
    RecordError,
    '"bad" is missing',
  );
});

Deno.test("parseDatasetInfo maps tags", () => {
  const { layout } = infoOf({
    file_name: "chats",
    split: "train",
    formatting: "sharegpt",
    columns: { messages: "turns", kto_tag: "liked" },
    tags: { role_tag: "who", content_tag: "what", user_tag: "customer", assistant_tag: "agent" },
  });
  const turns = [{ who: "customer", what: "Hi" }, { who: "agent", what: "Hello" }];
  assertEquals<unknown>(parseRecord({ turns, liked: 1 }, SOURCE, { layout }), {
    kind: "unpaired",
    ...base,
    prompt: [user("Hi")],
    completion: [assistant("Hello")],
    label: true,
  });
  assertThrows(
    () => parseRecord({ turns: [{ who: "human", what: "Hi" }], liked: 1 }, SOURCE, { layout }),
    RecordError,
    '"turns"[0].who is "human"; wanted one of "customer", "agent", "observation", "function_call", "system"',
  );
});

Deno.test("parseDatasetInfo takes LLaMA-Factory's defaults", () => {
  const { fileName, split, layout } = infoOf({ file_name: "a.json" });
  assertEquals([fileName, split, layout.formatting, layout.ranking, layout.tags], [
    "a.json",
    null,
    "alpaca",
    false,
    null,
  ]);
  const { prompt, query, response, history, kto_tag } = layout.columns;
  assertEquals([prompt, query, response, history, kto_tag], ["instruction", "input", "output", null, null]);
});

const wrongInfo: [unknown, string][] = [
  [undefined, 'info.json: there is no data set "mine"; it has "mine"'],
  [{}, 'info.json: "mine": file_name is missing; wanted a path'],
  [{ hf_hub_url: "a/b" }, 'it names "a/b" (hf_hub_url); download that and give its path as file_name'],
  [{ file_name: "a", formatting: "csv" }, 'formatting is "csv"; wanted "alpaca" or "sharegpt"'],
  [{ file_name: "a", num_samples: 5 }, "num_samples would be ignored"],
  [{ file_name: "a", ranking: "yes" }, "ranking is a string; wanted true or false"],
  [{ file_name: "a", ranking: true }, 'columns names no "chosen", which alpaca with ranking needs'],
  [{ file_name: "a", columns: { prompt: "p" } }, 'columns names no "response", which alpaca needs'],
  [{ file_name: "a", columns: { images: "i" } }, "columns.images would be ignored; wanted prompt, query"],
  [{ file_name: "a", columns: { prompt: 3 } }, "columns.prompt is 3; wanted a name"],
  [{ file_name: "a", tags: {} }, "tags would be ignored by alpaca"],
  [{ file_name: "a", formatting: "sharegpt", tags: { user: "x" } }, "tags.user would be ignored"],
];
for (const [entry, problem] of wrongInfo) {
  Deno.test(`parseDatasetInfo refuses ${JSON.stringify(entry)}`, () => {
    assertThrows(() => infoOf(entry), Error, problem);
  });
}
