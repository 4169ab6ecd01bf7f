/** `score` against log-probs that PyTorch computed in float64. */
import { assert, assertEquals } from "@std/assert";
import { quickStartTokenizer } from "../../examples/quick_start/mod.ts";
import { assertAllWithin, fixturePath, readExpectation } from "../fixtures/fixtures.ts";
import { createWorkspace, parseLines, type Workspace } from "./workspace.ts";

interface Score {
  logp: number;
  token_logps: number[];
}

/** What float32 on a GPU is allowed to differ by, in nats a completion; the fixtures' own README allows as much. */
const TOLERANCE = 5e-4;

/** Puts a fixture into a workspace, with the quick start's tokenizer cut down to the ids that the fixture has. */
async function addFixture(workspace: Workspace, name: string): Promise<void> {
  await Deno.mkdir(`${workspace.root}/${name}`);
  for (const file of ["config.json", "model.safetensors"]) {
    await Deno.copyFile(`${fixturePath(name)}/${file}`, `${workspace.root}/${name}/${file}`);
  }
  const { vocab_size: size } = JSON.parse(await workspace.read(`${name}/config.json`));
  const { tokenizerJson, tokenizerConfig } = quickStartTokenizer();
  const model = tokenizerJson.model as { vocab: Record<string, number> };
  model.vocab = Object.fromEntries(Object.entries(model.vocab).filter(([, id]) => id < size));
  await workspace.write(`${name}/tokenizer.json`, JSON.stringify(tokenizerJson));
  await workspace.write(`${name}/tokenizer_config.json`, JSON.stringify(tokenizerConfig));
}

/** The fixture's sequences, cut into prompt and completion; sequence i + 3 is the other side of the pair of sequence i. */
async function fixtureSequences(name: string) {
  const { batch, policy } = await readExpectation(name);
  const sequences = batch.sequences.map((ids, i) => ({
    prompt: ids.slice(0, batch.prompt_lengths[i]),
    completion: ids.slice(batch.prompt_lengths[i]),
    tokenLogps: policy.token_logps[i]!,
    logp: policy.sequence_logps[i]!,
  }));
  return { sequences, pairs: [0, 1, 2].map((i) => [sequences[i]!, sequences[i + 3]!] as const) };
}

function assertScore(actual: Score, expected: { tokenLogps: number[]; logp: number }, what: string): void {
  assertEquals(actual.token_logps.length, expected.tokenLogps.length);
  assertAllWithin(actual.token_logps, expected.tokenLogps, {
    tolerance: TOLERANCE,
    what: `${what}.token_logps`,
  });
  assertAllWithin([actual.logp], [expected.logp], { tolerance: TOLERANCE, what: `${what}.logp` });
  const sum = actual.token_logps.reduce((total, value) => total + value, 0);
  assertAllWithin([actual.logp], [sum], { tolerance: 1e-9, what: `${what}.logp, against the sum` });
}

Deno.test("score writes PyTorch's log-probs of pairs to a file, whatever the batches", async () => {
  await using workspace = await createWorkspace();
  await addFixture(workspace, "llama-gqa");
  const { pairs } = await fixtureSequences("llama-gqa");
  const records = pairs.map(([chosen, rejected]) => ({
    prompt_ids: chosen.prompt,
    chosen_ids: chosen.completion,
    rejected_ids: rejected.completion,
  }));
  await workspace.write("records.jsonl", records);
  for (const batchSize of [1, 2, 8]) {
    const file = `scores_${batchSize}.jsonl`;
    const { code, stdout } = await workspace.run("score", [
      "--model.path=llama-gqa",
      "--data.records=records.jsonl",
      `--batch_size=${batchSize}`,
      `--output.file=${file}`,
    ]);
    assertEquals({ code, stdout }, { code: 0, stdout: "" });
    const lines = parseLines(await workspace.read(file)) as { chosen: Score; rejected: Score }[];
    assertEquals(lines.length, pairs.length);
    pairs.forEach(([chosen, rejected], i) => {
      assertEquals(Object.keys(lines[i]!), ["line", "chosen", "rejected"]);
      assertEquals(Object.keys(lines[i]!.chosen), ["logp", "token_logps"]);
      assertScore(lines[i]!.chosen, chosen, `record ${i}, chosen`);
      assertScore(lines[i]!.rejected, rejected, `record ${i}, rejected`);
    });
  }
  assertEquals((await workspace.list()).filter((name) => name.includes(".partial-")), []);
});

Deno.test("score writes PyTorch's log-probs of completions to standard output, labelled or not", async () => {
  await using workspace = await createWorkspace();
  await addFixture(workspace, "llama-gqa");
  const { sequences } = await fixtureSequences("llama-gqa");
  const records = sequences.map(({ prompt, completion }) => ({
    prompt_ids: prompt,
    completion_ids: completion,
  }));
  await workspace.write("plain.jsonl", records);
  await workspace.write("labelled.jsonl", records.map((record, i) => ({ ...record, label: i % 2 === 0 })));
  for (const file of ["plain.jsonl", "labelled.jsonl"]) {
    const { code, stdout } = await workspace.run("score", [
      "--model.path=llama-gqa",
      `--data.records=${file}`,
    ]);
    assertEquals(code, 0);
    const lines = parseLines(stdout) as { completion: Score }[];
    assertEquals(lines.length, sequences.length);
    sequences.forEach((sequence, i) => {
      assertEquals(Object.keys(lines[i]!), ["line", "completion"]);
      assertScore(lines[i]!.completion, sequence, `record ${i}`);
    });
  }
});

Deno.test("score tokenizes text: every word, every mark and the end have a log-prob", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("records.jsonl", [
    {
      prompt: "Anna asks Paul for the tent. Paul says:",
      chosen: " Of course, Anna.",
      rejected: " Certainly not.",
    },
  ]);
  const { code, stdout } = await workspace.run("score", [
    "--model.path=model",
    "--data.records=records.jsonl",
  ]);
  assertEquals(code, 0);
  const [line] = parseLines(stdout) as { chosen: Score; rejected: Score }[];
  assertEquals(line!.chosen.token_logps.length, 6); // Of course , Anna . </s>
  assertEquals(line!.rejected.token_logps.length, 4); // Certainly not . </s>
  assert([...line!.chosen.token_logps, ...line!.rejected.token_logps].every((value) => value < 0));
});

Deno.test("score says which records it left out", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("records.jsonl", [
    { prompt_ids: [0], chosen_ids: [5], rejected_ids: [6] },
    { prompt_ids: [0], chosen_ids: [5], rejected_ids: [5] },
  ]);
  const { code, stdout, stderr } = await workspace.run("score", [
    "--model.path=model",
    "--data.records=records.jsonl",
  ]);
  assertEquals(code, 0);
  assertEquals(parseLines(stdout).length, 1);
  assertEquals(stderr.split("\n")[0], "1 record dropped, chosen equals rejected: line 2");
});

Deno.test("score numbers its lines as the records' files do, also where records are left out or files are several", async () => {
  await using workspace = await createWorkspace();
  const good = { prompt_ids: [0], chosen_ids: [5], rejected_ids: [6] };
  const same = { ...good, rejected_ids: [5] };
  await workspace.write("a.jsonl", [same, good]);
  await workspace.write("b.jsonl", [good, same, good]);
  const keysOf = async (...files: string[]) => {
    const { code, stdout } = await workspace.run("score", [
      "--model.path=model",
      ...files.map((file) => `--data.records=${file}`),
    ]);
    assertEquals(code, 0);
    return parseLines(stdout).map((line) =>
      Object.entries(line).filter(([key]) => key === "file" || key === "line")
    );
  };
  assertEquals(await keysOf("a.jsonl"), [[["line", 2]]]);
  assertEquals(await keysOf("a.jsonl", "b.jsonl"), [
    [["file", "a.jsonl"], ["line", 2]],
    [["file", "b.jsonl"], ["line", 1]],
    [["file", "b.jsonl"], ["line", 3]],
  ]);
});
