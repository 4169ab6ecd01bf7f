/** What the commands say of records that they cannot use; nothing is written then. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assertRefuses, createWorkspace, jsonLines, trainFlags, type Workspace } from "./workspace.ts";

const PAIR = {
  prompt: "Anna asks Paul for the tent.",
  chosen: " Of course, Anna.",
  rejected: " Certainly not.",
};
const DEMONSTRATION = { prompt: PAIR.prompt, completion: PAIR.chosen };
const MALFORMED = jsonLines([PAIR, PAIR]) + '{"prompt": "Anna asks",\n' + jsonLines([PAIR]);

/** A file that cannot be trained on, and what the one line must name. */
interface BadFile {
  what: string;
  /** Its name; `bad.jsonl` by default. */
  file?: string;
  content: string | Uint8Array | readonly unknown[] | null;
  parts: readonly string[];
  /** Settings beyond the usual ones. */
  keys?: Record<string, string | number>;
}

async function gzip(text: string): Promise<Uint8Array> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

const badFiles: readonly BadFile[] = [
  { what: "a missing file", content: null, parts: ["Cannot read bad.jsonl: no such file"] },
  { what: "an empty file", content: "", parts: ["bad.jsonl: no records; wanted one JSON object a line"] },
  {
    what: "a file of another format",
    file: "bad.csv",
    content: "prompt,chosen\n",
    parts: [
      "Cannot read bad.csv: wanted a file name that ends in .jsonl, .jsonl.gz, .json, .json.gz or .parquet",
    ],
  },
  { what: "malformed JSON", content: MALFORMED, parts: ["bad.jsonl:3: malformed JSON: "] },
  {
    what: "malformed JSON in a compressed file",
    file: "bad.jsonl.gz",
    content: await gzip(MALFORMED),
    parts: ["bad.jsonl.gz:3: malformed JSON: "],
  },
  {
    what: "a truncated compressed file",
    file: "bad.jsonl.gz",
    content: (await gzip(jsonLines([PAIR, PAIR]))).slice(0, -12),
    parts: ["bad.jsonl.gz: not gzip-compressed UTF-8 text"],
  },
  {
    what: "malformed JSON over several lines",
    file: "bad.json",
    content: '[\n{"prompt": "a"},\n{"prompt": b},\n{"prompt": "c"}\n]\n',
    parts: ["bad.json:3: malformed JSON in record 2: Unexpected token 'b'"],
  },
  {
    what: "a missing key",
    content: [PAIR, { prompt: "Anna asks", chosen: " Yes." }],
    parts: ['bad.jsonl:2: "rejected" is missing; wanted a string or a list of {role, content} messages'],
  },
  {
    what: "an empty completion",
    content: [PAIR, PAIR, { ...PAIR, rejected: "" }],
    parts: ['bad.jsonl:3: "rejected" is empty; wanted a completion of at least one token'],
  },
  {
    what: "an empty demonstration",
    content: [{ ...DEMONSTRATION, completion: "" }],
    parts: ['bad.jsonl:1: "completion" is empty; wanted a completion of at least one token'],
  },
  {
    what: "only pairs without a preference",
    content: [{ ...PAIR, rejected: PAIR.chosen }, { ...PAIR, rejected: PAIR.chosen }],
    parts: ["bad.jsonl: no usable record is left: 2 records dropped, chosen equals rejected: lines 1, 2"],
  },
  {
    what: "only pairs without a preference or of another form",
    content: [{ ...PAIR, rejected: PAIR.chosen }, { ...PAIR, rejected: "" }],
    keys: { "data.invalid": "skip" },
    parts: [
      "bad.jsonl: no usable record is left: ",
      "chosen equals rejected: line 1",
      "invalid record: line 2",
    ],
  },
  {
    what: "only prompts without a token",
    content: [{ prompt_ids: [], chosen_ids: [5], rejected_ids: [6] }],
    parts: ["bad.jsonl: no record is left: 1 record dropped, no token before the completion: line 1"],
  },
  {
    what: "only completions that become equal where they are cut",
    content: [{ prompt_ids: [0], chosen_ids: [5, 6, 7], rejected_ids: [5, 6, 8] }],
    keys: { "data.max_length": 3 },
    parts: ["bad.jsonl: no record is left: 1 record dropped, chosen equals rejected once cut: line 1"],
  },
  {
    what: "a token that the vocabulary lacks",
    content: [{ prompt_ids: [0], chosen_ids: [5], rejected_ids: [5000] }],
    parts: ["bad.jsonl:1: token id 5000 is not in the vocabulary of "],
  },
  {
    what: "demonstrations where pairs are needed",
    content: [DEMONSTRATION],
    parts: ["bad.jsonl: the records are demonstrations", "this needs pairs {prompt, chosen, rejected}"],
  },
  {
    what: "demonstrations where labels are needed",
    content: [DEMONSTRATION],
    keys: { "loss.type": "kto" },
    parts: [
      "bad.jsonl: the records are demonstrations",
      "this needs labelled completions {prompt, completion, label}",
    ],
  },
  {
    what: "records of two kinds",
    content: [PAIR, { ...DEMONSTRATION, label: true }],
    parts: [
      "bad.jsonl:2: a file holds one kind of record; those before this one are pairs",
      "labelled completions",
    ],
  },
  {
    what: "messages without a chat template",
    content: [{
      chosen: [{ role: "user", content: "Hello" }, { role: "assistant", content: "Good morning" }],
      rejected: [{ role: "user", content: "Hello" }, { role: "assistant", content: "What?" }],
    }],
    parts: ["bad.jsonl:1: the record holds messages but the model has no chat template; give one"],
  },
];

for (const { what, file = "bad.jsonl", content, parts, keys = {} } of badFiles) {
  Deno.test(`train refuses ${what}`, async () => {
    await using workspace = await createWorkspace();
    if (content !== null) await workspace.write(file, content);
    await assertRefuses(workspace, {
      command: "train",
      args: trainFlags({ "data.train": file, "output.directory": "out", ...keys }),
      parts,
    });
  });
}

Deno.test("train checks the held-out records too, and a template's file", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("bad.jsonl", [PAIR, { prompt: "Anna asks" }]);
  const refuses = (keys: Record<string, string>, parts: string[]) =>
    assertRefuses(workspace, {
      command: "train",
      args: trainFlags({ "output.directory": "out", ...keys }),
      parts,
    });
  await refuses({ "data.eval": "bad.jsonl" }, ["bad.jsonl:2: "]);
  await refuses({ "data.template": "chat.jinja" }, ["data.template: cannot read chat.jinja: "]);
});

Deno.test("score and sft name bad records as train does, and leave no file", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("bad.jsonl", MALFORMED);
  const parts = ["bad.jsonl:3: malformed JSON: "];
  const score = ["--model.path=model", "--data.records=bad.jsonl", "--output.file=scores.jsonl"];
  await assertRefuses(workspace, { command: "score", args: score, parts });
  const sft = trainFlags({ "data.train": "bad.jsonl", "output.directory": "out" });
  await assertRefuses(workspace, { command: "sft", args: sft, parts });
});

Deno.test("score refuses a record that is longer than the model reads", async () => {
  await using workspace = await createWorkspace();
  const long = { prompt_ids: [0], completion_ids: Array.from({ length: 128 }, () => 5) };
  await workspace.write("bad.jsonl", [{ prompt_ids: [0], completion_ids: [5] }, long]);
  await assertRefuses(workspace, {
    command: "score",
    args: ["--model.path=model", "--data.records=bad.jsonl", "--output.file=scores.jsonl"],
    parts: [
      "the record on line 2 has 129 tokens, but model reads at most 128 (max_position_embeddings); set data",
    ],
  });
});

Deno.test("generate refuses prompts that it cannot use", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("bad.jsonl", [{ prompt: "Anna asks" }, { question: "Why?" }]);
  const refuses = (args: string[], parts: string[]) =>
    assertRefuses(workspace, {
      command: "generate",
      args: ["--model.path=model", "--output.file=answers.jsonl", ...args],
      parts,
    });
  await refuses(["--data.prompts=bad.jsonl"], ["bad.jsonl:2: "]);
  await refuses(["--data.prompts=absent.jsonl"], ["Cannot read absent.jsonl: no such file"]);
});

async function dryRun(workspace: Workspace, keys: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await workspace.run("train", [
    ...trainFlags({ "data.train": "some.jsonl", "output.directory": "out", ...keys }),
    "--dry-run",
  ]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

Deno.test("train drops and counts pairs without a preference, and trains on the others", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("some.jsonl", [PAIR, { ...PAIR, rejected: PAIR.chosen }, PAIR]);
  const printed = await dryRun(workspace);
  assertMatch(printed, /^records +2 kept\n +1 record dropped, chosen equals rejected: line 2$/m);
});

Deno.test("train skips and counts invalid records where it is told to", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("some.jsonl", [PAIR, { ...PAIR, rejected: "" }, { prompt: 1 }, PAIR]);
  const printed = await dryRun(workspace, { "data.invalid": "skip" });
  assertMatch(printed, /^records +2 kept\n +2 records dropped, invalid record: lines 2, 3$/m);
});

Deno.test("train takes an empty prompt where BOS stands in front, and says so in the record that it shows", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("some.jsonl", [{ ...PAIR, prompt: "" }]);
  const printed = await dryRun(workspace);
  assertStringIncludes(printed, "--- prompt: 1 token ---\n<s>\n");
});
