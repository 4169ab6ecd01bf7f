/** `evaluate` from files to files. */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { quickStartTokenizer } from "../../examples/quick_start/mod.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { writeModelDirectory } from "../../models/files/write_directory.ts";
import { initialTensors } from "../../models/initialize.ts";
import { startJudge } from "../evaluation/judge/server.ts";
import { fixturePath, readExpectation } from "../fixtures/fixtures.ts";
import { assertRefuses, createWorkspace, parseLines, trainFlags, type Workspace } from "./workspace.ts";

interface Measure {
  mean: number;
  standard_error: number | null;
  interval: [number, number];
  count: number;
  wins?: number;
  ties?: number;
  losses?: number;
}

interface Results {
  settings: Record<string, unknown>;
  measures: Record<string, Measure>;
  notes: string[];
}

const FEW = "--bootstrap.resamples=200";

/** Runs the command and returns what it wrote. */
async function evaluate(
  workspace: Workspace,
  { name, args, env }: { name: string; args: readonly string[]; env?: Record<string, string> },
) {
  const file = `${name}.json`;
  const { code, stdout, stderr } = await workspace.run(
    "evaluate",
    [...args, FEW, `--output.file=${file}`],
    env,
  );
  assertEquals(code, 0, stderr);
  const results: Results = JSON.parse(await workspace.read(file));
  return { ...results, stdout, stderr };
}

/** A second model with other weights. */
async function addOther(workspace: Workspace): Promise<void> {
  const json = JSON.parse(await workspace.read("model/config.json"));
  await writeModelDirectory(`${workspace.root}/other`, {
    config: json,
    tensors: initialTensors(parseModelConfig(json, { name: "other" }), { seed: 1, deviation: 0.15 }),
    dtype: "F32",
    copyFrom: `${workspace.root}/model`,
  });
}

/** Puts a fixture into a workspace, with the quick start's tokenizer cut down to the ids that the fixture has. */
async function addFixture(workspace: Workspace, fixture: string, { path, weights = "model" }: {
  path: string;
  weights?: string;
}): Promise<void> {
  await Deno.mkdir(`${workspace.root}/${path}`);
  await Deno.copyFile(`${fixturePath(fixture)}/config.json`, `${workspace.root}/${path}/config.json`);
  await Deno.copyFile(
    `${fixturePath(fixture)}/${weights}.safetensors`,
    `${workspace.root}/${path}/model.safetensors`,
  );
  const { vocab_size: size } = JSON.parse(await workspace.read(`${path}/config.json`));
  const { tokenizerJson, tokenizerConfig } = quickStartTokenizer();
  const model = tokenizerJson.model as { vocab: Record<string, number> };
  model.vocab = Object.fromEntries(Object.entries(model.vocab).filter(([, id]) => id < size));
  await workspace.write(`${path}/tokenizer.json`, JSON.stringify(tokenizerJson));
  await workspace.write(`${path}/tokenizer_config.json`, JSON.stringify(tokenizerConfig));
}

Deno.test("evaluate measures pairs as PyTorch's log-probs have it", async () => {
  await using workspace = await createWorkspace();
  await addFixture(workspace, "llama-gqa", { path: "policy" });
  await addFixture(workspace, "llama-gqa", { path: "before", weights: "reference" });
  const { batch, policy, reference } = await readExpectation("llama-gqa");
  const completions = batch.sequences.map((ids, i) => ids.slice(batch.prompt_lengths[i]));
  await workspace.write(
    "pairs.jsonl",
    [0, 1, 2].map((i) => ({
      prompt_ids: batch.sequences[i]!.slice(0, batch.prompt_lengths[i]),
      chosen_ids: completions[i],
      rejected_ids: completions[i + 3],
    })),
  );
  const { measures } = await evaluate(workspace, {
    name: "pairs",
    args: ["--model.path=policy", "--initial.path=before", "--data.records=pairs.jsonl", "--beta=0.1"],
  });
  // Float64 log-probs of the fixture; float32 on a device is allowed 5e-4 nats a completion.
  const [logps, before] = [policy.sequence_logps, reference.sequence_logps];
  const ratios = logps.map((logp, i) => logp - before[i]!);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const sides = (values: number[]) => [0, 1, 2].map((i) => [values[i]!, values[i + 3]!] as const);
  const margins = sides(ratios).map(([chosen, rejected]) => 0.1 * (chosen - rejected));
  assertAlmostEquals(measures["data/rewards_initial/margins"]!.mean, mean(margins), 1e-4);
  const accuracy = (values: number[]) =>
    mean(sides(values).map(([chosen, rejected]) => chosen > rejected ? 1 : 0));
  assertEquals(measures["data/rewards_initial/accuracies"]!.mean, accuracy(ratios));
  assertEquals(measures["data/logps/accuracies"]!.mean, accuracy(logps));
  const tokens = (from: number) => [0, 1, 2].reduce((sum, i) => sum + completions[from + i]!.length, 0);
  for (const [side, from] of [["chosen", 0], ["rejected", 3]] as const) {
    const sum = logps.slice(from, from + 3).reduce((total, logp) => total + logp, 0);
    const expected = Math.exp(-sum / tokens(from));
    assertAlmostEquals(measures[`data/perplexity/${side}`]!.mean / expected, 1, 1e-3);
  }
  // Σ KL along the sequences, as in compare_completions_test.ts, by 6 completions.
  assertAlmostEquals(measures["data/kl/initial"]!.mean, 15.649078246 / 6, 5e-4);
});

Deno.test("evaluate measures completions and whole texts by their perplexity alone", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("texts.jsonl", [{ text: "Anna asks Paul for the tent." }, {
    text: "Paul says: Of course.",
  }]);
  const { measures } = await evaluate(workspace, {
    name: "texts",
    args: ["--model.path=model", "--data.records=texts.jsonl"],
  });
  assertEquals(Object.keys(measures), ["data/perplexity/completion"]);
  assert(measures["data/perplexity/completion"]!.mean > 1);
});

Deno.test("evaluate draws answers, measures and scores them, and gives the same numbers again", async () => {
  await using workspace = await createWorkspace();
  await addOther(workspace);
  await workspace.write(
    "gold.ts",
    "export const count = (prompt: string, text: string) => prompt.length + text.length;\n",
  );
  const args = [
    "--model.path=model",
    "--initial.path=other",
    "--opponent.path=other",
    "--data.prompts=held_out.jsonl",
    "--data.prompts_limit=4",
    "--generation.max_tokens=12",
    "--generation.samples=2",
    "--gold.module=gold.ts",
    "--gold.export=count",
  ];
  const first = await evaluate(workspace, {
    name: "first",
    args: [...args, "--output.answers=answers.jsonl"],
  });
  const { measures, stdout } = first;
  const rows = parseLines(await workspace.read("answers.jsonl")) as unknown as {
    prompt: string;
    completions: string[];
    opponent: string[];
    gold: { completions: number[]; opponent: number[] };
  }[];
  assertEquals(
    rows.map(({ completions, opponent }) => [completions.length, opponent.length]),
    Array(4).fill([2, 2]),
  );
  for (const { prompt, completions, gold } of rows) {
    assertEquals(gold.completions, completions.map((text) => prompt.length + text.length));
  }
  const meanOf = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const own = rows.map(({ gold }) => meanOf(gold.completions)),
    other = rows.map(({ gold }) => meanOf(gold.opponent));
  assertAlmostEquals(measures["gold/score"]!.mean, meanOf(own), 1e-9);
  assertAlmostEquals(measures["gold/difference"]!.mean, meanOf(own) - meanOf(other), 1e-9);
  const { wins, ties, losses, count } = measures["gold/win_rate"]!;
  assertEquals([wins! + ties! + losses!, count], [4, 4]);
  assertEquals(wins, own.filter((score, i) => score > other[i]!).length);
  assert(measures["samples/kl/initial"]!.mean > 0);
  assert(measures["samples/length/tokens"]!.mean <= 12);
  assert("opponent/self_bleu" in measures);
  for (const name of Object.keys(measures)) assertStringIncludes(stdout, name);
  for (const { mean, interval: [low, high] } of Object.values(measures)) {
    assert(low <= mean + 1e-9 && mean <= high + 1e-9);
  }

  const second = await evaluate(workspace, { name: "second", args });
  assertEquals(second.measures, measures);
  assertEquals(second.stdout, stdout);
  // A fresh seed draws other answers.
  const third = await evaluate(workspace, { name: "third", args: [...args, "--generation.seed=1"] });
  assert(third.measures["gold/score"]!.mean !== measures["gold/score"]!.mean);
});

Deno.test("evaluate leaves KL along answers out where they aren't the policy's own, and says so", async () => {
  await using workspace = await createWorkspace();
  const { measures, notes, stderr } = await evaluate(workspace, {
    name: "cold",
    args: [
      "--model.path=model",
      "--initial.path=model",
      "--data.prompts=held_out.jsonl",
      "--generation.max_tokens=4",
      "--generation.temperature=0.7",
    ],
  });
  assertEquals(Object.keys(measures).filter((name) => name.includes("kl")), []);
  assertStringIncludes(notes.join(), "only if they are drawn at temperature 1");
  assertStringIncludes(stderr, `note: ${notes[0]}`);
});

Deno.test("evaluate takes prompts from records, and answers that are there already", async () => {
  await using workspace = await createWorkspace();
  const pairs = parseLines(await workspace.read("held_out.jsonl")) as { prompt: string; chosen: string }[];
  const prompts = [...new Set(pairs.map(({ prompt }) => prompt))];
  await workspace.write("theirs.jsonl", prompts.map((prompt) => ({ prompt, completion: "Of course." })));
  await workspace.write(
    "gold.ts",
    "export const score = (_: string, text: string) => text === 'Of course.' ? 1 : 0;\n",
  );
  const args = [
    "--model.path=model",
    "--data.records=held_out.jsonl",
    "--data.prompts=records",
    "--generation.max_tokens=4",
    "--opponent.answers=theirs.jsonl",
    "--gold.module=gold.ts",
  ];
  const { measures } = await evaluate(workspace, { name: "records", args });
  assertEquals(measures["gold/opponent_score"]!.mean, 1);
  assertEquals(measures["gold/win_rate"]!.losses, prompts.length);
});

Deno.test("evaluate takes a run: its model, what it began from, and its moving reference", async () => {
  await using workspace = await createWorkspace();
  const flags = trainFlags({
    "training.steps": 4,
    "training.batch_size": 4,
    "training.learning_rate": 0.01,
    "reference.update": "soft",
    "reference.alpha": 0.5,
    "reference.every": 2,
    "output.directory": "run",
    "output.samples": 0,
  });
  assertEquals((await workspace.run("train", flags)).code, 0);
  const records = "--data.records=held_out.jsonl";
  const { measures, notes } = await evaluate(workspace, { name: "run", args: ["--model.path=run", records] });
  assertEquals(notes, []);
  const explicit = await evaluate(workspace, {
    name: "explicit",
    args: ["--model.path=run/model", "--initial.path=model", records],
  });
  for (const [name, measure] of Object.entries(explicit.measures)) {
    assertEquals(measures[name], measure, name);
  }
  // After the last update, at step 4, half of the policy is in the reference and half of what was there.
  const [toReference, toInitial] = [measures["data/kl/reference"]!.mean, measures["data/kl/initial"]!.mean];
  assert(toReference > 0 && toReference < toInitial, `${toReference} and ${toInitial}`);

  // The initial model is gone: the rest is measured all the same.
  await Deno.rename(`${workspace.root}/model`, `${workspace.root}/moved`);
  const moved = await evaluate(workspace, {
    name: "moved",
    args: ["--model.path=run", records],
    env: { HF_HUB_OFFLINE: "1" },
  });
  assertEquals("data/kl/initial" in moved.measures, false);
  assertEquals(moved.measures["data/kl/reference"], measures["data/kl/reference"]);
  assertStringIncludes(moved.notes.join(), "nothing is compared with the model that the run began from");
});

Deno.test("evaluate scores answers with a reward model", async () => {
  await using workspace = await createWorkspace();
  await addOther(workspace);
  await addFixture(workspace, "reward-llama", { path: "reward" });
  const { measures } = await evaluate(workspace, {
    name: "reward",
    args: [
      "--model.path=model",
      "--opponent.path=other",
      "--data.prompts=held_out.jsonl",
      "--data.prompts_limit=3",
      "--generation.max_tokens=6",
      "--reward_model.path=reward",
      "--output.answers=answers.jsonl",
    ],
  });
  const rows = parseLines(await workspace.read("answers.jsonl")) as unknown as {
    reward_model: { completions: [number]; opponent: [number] };
  }[];
  const wins = rows.filter(({ reward_model: { completions: [a], opponent: [b] } }) => a > b).length;
  assertEquals(measures["reward_model/win_rate"]!.wins, wins);
  const { measures: all } = await evaluate(workspace, {
    name: "ties",
    args: [
      "--model.path=model",
      "--opponent.path=other",
      "--data.prompts=held_out.jsonl",
      "--data.prompts_limit=3",
      "--generation.max_tokens=6",
      "--reward_model.path=reward",
      "--reward_model.tie=1000",
    ],
  });
  assertEquals(all["reward_model/win_rate"]!.ties, 3);
});

Deno.test("evaluate has answers judged, goes on after a failure, and never shows the key", async () => {
  await using workspace = await createWorkspace();
  await addOther(workspace);
  await using judge = startJudge(() => "Both fine.\nVerdict: A");
  const args = [
    "--model.path=model",
    "--opponent.path=other",
    "--data.prompts=held_out.jsonl",
    "--data.prompts_limit=3",
    "--generation.max_tokens=4",
    "--judge.model=judge-1",
    `--judge.endpoint=${judge.endpoint}`,
    "--judge.concurrency=1",
  ];
  const env = { OPENAI_API_KEY: "sk-very-secret" };
  judge.reply = () => {
    if (judge.requests.length === 4) {
      judge.fail({ status: 401, body: '{"error": {"message": "bad key sk-very-secret"}}' });
    }
    return "Verdict: A";
  };
  const { code, stderr, stdout } = await workspace.run(
    "evaluate",
    [...args, "--output.file=judged.json"],
    env,
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "answered 401 (bad key …); check the key");
  assert(!(stderr + stdout).includes("sk-very-secret"));
  assertEquals((await workspace.list()).includes("judged.json"), false);
  assertEquals(parseLines(await workspace.read("judged.judge.jsonl")).length, 4);

  judge.reply = (question) => question.includes("[Answer A]") ? "Verdict: A" : "no";
  const before = judge.requests.length;
  const { measures, notes } = await evaluate(workspace, { name: "judged", args, env });
  assertEquals(judge.requests.length - before, 2);
  assertEquals(judge.requests.every(({ authorization }) => authorization === "Bearer sk-very-secret"), true);
  assertEquals(judge.requests.every(({ body }) => body.temperature === 0), true);
  // A judge that always takes the first: nothing but ties, none consistent.
  assertEquals([measures["judge/win_rate"]!.mean, measures["judge/win_rate"]!.ties], [0.5, 3]);
  assertEquals([measures["judge/consistency"]!.mean, measures["judge/first_preferred"]!.mean], [0, 1]);
  assert("judge/length_controlled_win_rate" in measures);
  assertEquals(notes, []);
  for (const name of await workspace.list()) {
    if (/json/.test(name)) assert(!(await workspace.read(name)).includes("sk-very-secret"), name);
  }
});

Deno.test("evaluate takes the judge's address from the environment and its prompt from a file, and counts nonsense", async () => {
  await using workspace = await createWorkspace();
  await addOther(workspace);
  await using judge = startJudge((question) => question.startsWith("Which?") ? "I can't say." : "Verdict: A");
  await workspace.write("judge.txt", "Which?\n{{prompt}}\n{{answer_a}}\n{{answer_b}}\n");
  const { measures, notes } = await evaluate(workspace, {
    name: "nonsense",
    args: [
      "--model.path=model",
      "--opponent.path=other",
      "--data.prompts=held_out.jsonl",
      "--data.prompts_limit=2",
      "--generation.max_tokens=4",
      "--judge.model=judge-1",
      "--judge.prompt=judge.txt",
      "--judge.replies=kept.jsonl",
    ],
    env: { OPENAI_BASE_URL: judge.endpoint, OPENAI_API_KEY: "" },
  });
  assertEquals(Object.keys(measures).filter((name) => name.startsWith("judge/")), []);
  assertEquals(notes, [
    "judge: no verdict could be read for 2 of 2 prompts, which are left out: number 1, 2",
  ]);
  assertEquals(judge.requests.every(({ authorization }) => authorization === null), true);
  assertEquals((await workspace.list()).includes("kept.jsonl"), true);
});

Deno.test("evaluate refuses what it could not use, before it begins", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("gold.ts", "export const other = 1;\n");
  await workspace.write("there.json", "{}");
  await workspace.write("judge.txt", "{{prompt}}");
  await workspace.write("short.jsonl", [{ completion: "a" }]);
  const prompts = ["--model.path=model", "--data.prompts=held_out.jsonl", "--output.file=out.json"];
  const compared = [...prompts, "--opponent.path=model"];
  const cases: [string[], string][] = [
    [
      ["--model.path=model", "--data.records=held_out.jsonl", "--output.file=there.json"],
      "there.json: a file is there already",
    ],
    [[...prompts, "--initial.path=model", "--beta=0.1"], "beta: would be ignored"],
    [
      ["--model.path=model", "--data.records=held_out.jsonl", "--beta=0.1", "--output.file=out.json"],
      "beta: would be",
    ],
    [
      [...prompts, "--gold.module=gold.ts"],
      'gold.export: gold.ts exports no function "score"; it exports other',
    ],
    [[...prompts, "--gold.module=none.ts"], "gold.module: none.ts can't be loaded"],
    [
      [...compared, "--judge.model=m", "--judge.prompt=judge.txt"],
      "judge.prompt: judge.txt: {{answer_a}} is missing",
    ],
    [[...compared, "--judge.model=m", "--judge.endpoint=here"], 'judge.endpoint: "here" is no address'],
    [[...compared, "--judge.model=m"], "judge.key_env: OPENAI_API_KEY isn't set"],
    [[...prompts, "--opponent.answers=short.jsonl"], "short.jsonl: holds 1 answers to 6 prompts"],
    [[...prompts, "--reward_model.path=model"], "reward models can be LlamaForSequenceClassification"],
    [["--model.path=absent", "--data.records=held_out.jsonl", "--output.file=out.json"], "absent"],
  ];
  for (const [args, part] of cases) {
    await assertRefuses(workspace, {
      command: "evaluate",
      args,
      parts: [part],
      env: { OPENAI_API_KEY: "", OPENAI_BASE_URL: "", HF_HUB_OFFLINE: "1" },
    });
  }
});
