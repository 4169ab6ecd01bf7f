import { parseRecord, RecordError } from "@tr/align/data";
import { assertEquals, assertThrows } from "@std/assert";

const SOURCE = { file: "pairs.jsonl", line: 17 };
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

Deno.test("parseRecord keeps a pair's margin, and what else stands under that name it ignores", () => {
  const marginOf = (margin: unknown, record: object = { prompt: "p", chosen: "c", rejected: "r" }) => {
    const parsed = parseRecord({ ...record, margin }, SOURCE);
    return parsed.kind === "paired" ? parsed.margin : "no pair";
  };
  assertEquals([0.5, -2, 0].map((margin) => marginOf(margin)), [0.5, -2, 0]);
  assertEquals(marginOf(1, { prompt_ids: [1], chosen_ids: [2], rejected_ids: [3] }), 1);
  assertEquals(
    marginOf(3, { chosen: [user("p"), assistant("c")], rejected: [user("p"), assistant("r")] }),
    3,
  );
  for (const other of [null, "large", [1], true]) assertEquals(marginOf(other), undefined);
});

Deno.test("parseRecord reads pairs of text", () => {
  assertEquals(parseRecord({ prompt: "p", chosen: "c", rejected: "r", score: 3 }, SOURCE), {
    kind: "paired",
    form: "text",
    line: 17,
    prompt: "p",
    chosen: "c",
    rejected: "r",
  });
});

Deno.test("parseRecord reads pairs of messages in every mixture to one form", () => {
  const expected = {
    kind: "paired",
    form: "messages",
    line: 17,
    prompt: [user("p")],
    chosen: [assistant("c")],
    rejected: [assistant("r")],
  } as const;
  const mixtures = [
    { prompt: [user("p")], chosen: [assistant("c")], rejected: [assistant("r")] },
    { prompt: [user("p")], chosen: "c", rejected: "r" },
    { prompt: "p", chosen: [assistant("c")], rejected: [assistant("r")] },
    { prompt: null, chosen: [user("p"), assistant("c")], rejected: [user("p"), assistant("r")] },
    { chosen: [user("p"), assistant("c")], rejected: [user("p"), assistant("r")] },
    // As in HuggingFaceH4/ultrafeedback_binarized: the prompt twice, and a copy of `chosen` as `messages`.
    {
      prompt: "p",
      messages: [user("p"), assistant("c")],
      chosen: [user("p"), assistant("c")],
      rejected: [user("p"), assistant("r")],
    },
  ];
  for (const mixture of mixtures) assertEquals<unknown>(parseRecord(mixture, SOURCE), expected);
});

Deno.test("parseRecord leaves each side of identical message lists its last message", () => {
  const messages = [user("p"), assistant("c")];
  const record = parseRecord({ chosen: messages, rejected: messages }, SOURCE);
  assertEquals<unknown>(record, {
    kind: "paired",
    form: "messages",
    line: 17,
    prompt: [user("p")],
    chosen: [assistant("c")],
    rejected: [assistant("c")],
  });
});

Deno.test("parseRecord reads token ids", () => {
  assertEquals(parseRecord({ prompt_ids: [1, 2], chosen_ids: [3], rejected_ids: [4] }, SOURCE), {
    kind: "paired",
    form: "ids",
    line: 17,
    prompt: Int32Array.of(1, 2),
    chosen: Int32Array.of(3),
    rejected: Int32Array.of(4),
  });
  assertEquals(parseRecord({ prompt_ids: [1], completion_ids: [3], label: false }, SOURCE), {
    kind: "unpaired",
    form: "ids",
    line: 17,
    prompt: Int32Array.of(1),
    completion: Int32Array.of(3),
    label: false,
  });
});

Deno.test("parseRecord reads labelled completions with boolean and numeric labels", () => {
  const text = { kind: "unpaired", form: "text", line: 17, prompt: "p", completion: "c" } as const;
  for (const [label, expected] of [[true, true], [false, false], [1, true], [0, false]] as const) {
    assertEquals<unknown>(parseRecord({ prompt: "p", completion: "c", label }, SOURCE), {
      ...text,
      label: expected,
    });
  }
  const messages = [user("a"), assistant("b"), user("p"), assistant("c")];
  assertEquals(parseRecord({ messages, label: true }, SOURCE), {
    kind: "unpaired",
    form: "messages",
    line: 17,
    prompt: messages.slice(0, 3),
    completion: [assistant("c")],
    label: true,
  });
});

Deno.test("parseRecord reads demonstrations", () => {
  const text = (prompt: string, completion: string) =>
    ({ kind: "sft", form: "text", line: 17, prompt, completion }) as const;
  assertEquals(parseRecord({ prompt: "p", completion: "c" }, SOURCE), text("p", "c"));
  assertEquals(parseRecord({ text: "all of it" }, SOURCE), text("", "all of it"));
  assertEquals(parseRecord({ messages: [user("p"), assistant("c")] }, SOURCE), {
    kind: "sft",
    form: "messages",
    line: 17,
    prompt: [user("p")],
    completion: [assistant("c")],
  });
});

Deno.test("parseRecord names line, key and wish in its errors", () => {
  const cases: [unknown, string][] = [
    [[1], "the record is a list; wanted an object"],
    [{}, "the record has no keys; wanted one of {prompt, chosen, rejected}"],
    [{ question: "q", answer: "a" }, 'the record has "question", "answer"; wanted one of'],
    [{ text: "t", label: true }, 'the record has "text", "label"; wanted one of'],
    [{ prompt: "p", chosen: "c" }, '"rejected" is missing; wanted a string or a list'],
    [{ prompt: 5, chosen: "c", rejected: "r" }, '"prompt" is 5; wanted a string or a list'],
    [{ prompt: "p", chosen: "", rejected: "r" }, '"chosen" is empty; wanted a completion'],
    [{ prompt: "p", chosen: [], rejected: [assistant("r")] }, '"chosen" is empty'],
    [{ prompt: "p", chosen: "c", rejected: [assistant("r")] }, '"chosen" and "rejected" differ in form'],
    [{ chosen: [user("p"), assistant("")], rejected: [user("p"), assistant("r")] }, '"chosen" is empty'],
    [{ chosen: [{ role: "user" }], rejected: [] }, '"chosen"[0].content is missing; wanted a string'],
    [{ chosen: [{ content: "x" }], rejected: [] }, '"chosen"[0].role is missing'],
    [{ chosen: ["x"], rejected: [] }, '"chosen"[0] is a string; wanted a message'],
    [
      { chosen: [user("a"), assistant("c")], rejected: [user("b"), assistant("r")] },
      'message of role "user"',
    ],
    [
      { prompt: "other", chosen: [user("p"), assistant("c")], rejected: [user("p"), assistant("r")] },
      '"prompt" is not among the user messages',
    ],
    [{ messages: [assistant("c"), user("p")], label: true }, 'message of role "user"'],
    [{ messages: [], label: true }, '"messages" is empty'],
    [{ prompt: "p", completion: "c", label: "yes" }, '"label" is a string; wanted true or false'],
    [{ prompt: "p", completion: "c", label: 2 }, '"label" is 2; wanted true or false'],
    [{ completion: "c", label: true }, '"prompt" is missing'],
    [{ chosen_ids: [1], rejected_ids: [2] }, '"prompt_ids" is missing; wanted a list of token ids'],
    [{ prompt_ids: [1.5], chosen_ids: [1], rejected_ids: [2] }, '"prompt_ids"[0] is 1.5; wanted a token id'],
    [{ prompt_ids: [-1], chosen_ids: [1], rejected_ids: [2] }, '"prompt_ids"[0] is -1'],
    [{ prompt_ids: [1], chosen_ids: [], rejected_ids: [2] }, '"chosen_ids" is empty'],
  ];
  for (const [value, problem] of cases) {
    const error = assertThrows(() => parseRecord(value, SOURCE), RecordError, problem);
    assertEquals(error.message.startsWith("pairs.jsonl:17: "), true, error.message);
  }
});
