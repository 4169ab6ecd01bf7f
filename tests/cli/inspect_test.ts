/** What `inspect` finds in records, and what `train` makes of the sources that it takes. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { drawBars } from "../../cli/histogram.ts";
import { assertRefuses, createWorkspace, trainFlags } from "./workspace.ts";

const pair = (chosen: string, rejected: string) => ({
  prompt: "Anna asks Paul for the tent.",
  chosen,
  rejected,
});
const [YES, NO] = [" Of course, Anna.", " Certainly not."];

Deno.test("drawBars draws to scale, and something of whatever isn't nothing", () => {
  const bars = [{ label: "0–9", count: 1000 }, { label: "10–19", count: 500 }, { label: "20", count: 1 }, {
    label: "30",
    count: 0,
  }];
  assertEquals(drawBars(bars, { width: 4 }), ["  0–9 ████ 1000", "10–19 ██ 500", "   20 ▏ 1", "   30 0"]);
});

Deno.test("inspect says what is dropped and why, what repeats, and shows records", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("a.jsonl", [
    pair(YES, NO),
    pair(NO, YES),
    pair(YES, NO),
    pair(NO, NO),
    pair(YES, ""),
  ]);
  const { code, stdout, stderr } = await workspace.run("inspect", [
    "--model.path=model",
    "--data.train=a.jsonl",
    "--show=1",
  ]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const head = stdout.split("\n").slice(0, 9);
  assertEquals(head.slice(0, 5), [
    "train a.jsonl: 3 pairs",
    "1 record dropped, chosen equals rejected: line 4",
    "1 record dropped, invalid record: line 5",
    '  a.jsonl:5: "rejected" is empty; wanted a completion of at least one token',
    "  A run would stop at the first of these: data.invalid is error",
  ]);
  assertStringIncludes(stdout, "\nend of completions: </s>: 6\n");
  assertStringIncludes(
    stdout,
    "\nduplicates: 1 record (line 3), 2 prompts; 3 pairs that prefer the opposite of another\n",
  );
  assertMatch(stdout, /^chosen: tokens before cutting: mean \d/m);
  assertEquals(stdout.match(/^--- prompt: /gm)?.length, 1);
});

Deno.test("inspect --json takes a run's file, every source of it, and KTO's weights", async () => {
  await using workspace = await createWorkspace();
  const labelled = (label: boolean) => ({ prompt: "Anna asks.", completion: label ? YES : NO, label });
  await workspace.write("a.jsonl", [true, false, false, false, false].map(labelled));
  await workspace.write("b.jsonl", [labelled(true)]);
  await workspace.write(
    "run.yaml",
    `model: { path: model }
data: { train: [a.jsonl, b.jsonl], eval: held_out.jsonl, max_length: 64 }
loss: { type: kto }
training: { steps: 10 }
output: { directory: out }
`,
  );
  const { code, stdout } = await workspace.run("inspect", ["run.yaml", "--json"]);
  assertEquals(code, 0);
  const { train, eval: held } = JSON.parse(stdout);
  assertEquals(train.map(({ file, kind, records }: Record<string, unknown>) => [file, kind, records]), [
    ["a.jsonl", "labelled completions", 5],
    ["b.jsonl", "labelled completions", 1],
  ]);
  assertEquals(train[0].statistics.labels, { desirable: 1, undesirable: 4 });
  assertEquals(train[0].kto_weights.desirable[0], 4);
  assertEquals(train[1].kto_weights, null);
  assertEquals(held[0].kind, "pairs");
  const { shown } = train[0];
  assertEquals(shown.map(({ line }: { line: number }) => line), [1, 3]);
  assert(shown[0].completion.text.endsWith("</s>"));
  assertEquals((await workspace.list()).includes("out"), false);
});

Deno.test("inspect advises weights for labels that are out of balance", async () => {
  await using workspace = await createWorkspace();
  const records = [true, false, false, false].map((label) => ({
    prompt: "Anna asks.",
    completion: YES,
    label,
  }));
  await workspace.write("a.jsonl", records);
  const { stdout } = await workspace.run("inspect", [
    "--model.path=model",
    "--data.train=a.jsonl",
    "--show=0",
  ]);
  assertStringIncludes(
    stdout,
    "labels: 1 desirable, 3 undesirable; with weights of 1, KTO's λ_D n_D / (λ_U n_U) is 0.333; recommended is 1 to 4/3: " +
      "desirable_weight 3.00 to 4.00 with undesirable_weight 1",
  );
});

Deno.test("inspect fails as train does where a file can't be read", async () => {
  await using workspace = await createWorkspace();
  await assertRefuses(workspace, {
    command: "inspect",
    args: ["--model.path=model", "--data.train=absent.jsonl"],
    parts: ["Cannot read absent.jsonl: no such file"],
  });
});

Deno.test("train takes a directory's split, a mixture, a held-out share and a cache, and resumes only the same mixture", async () => {
  await using workspace = await createWorkspace();
  const pairs = (await workspace.read("pairs.jsonl")).trim().split("\n").map((line) => JSON.parse(line));
  await Deno.mkdir(`${workspace.root}/set/data`, { recursive: true });
  await workspace.write("set/data/train_prefs-00000-of-00001.jsonl", pairs.slice(0, 12));
  await workspace.write("set/data/test_prefs-00000-of-00001.jsonl", pairs.slice(0, 4));
  await workspace.write("other.json", JSON.stringify(pairs.slice(12)));
  const sources = (weight: number) =>
    `[{ path: set, split: train_prefs, weight: ${weight} }, { path: other.json, weight: 1 }]`;
  const flags = (weight: number, ...more: string[]) => [
    ...trainFlags({
      "data.train": sources(weight),
      "data.eval": "0.25",
      "data.cache": "tokens",
      "training.steps": 2,
      "training.batch_size": 2,
      "output.directory": "out",
      "output.samples": 0,
    }),
    ...more,
  ];
  const first = await workspace.run("train", flags(1));
  assertEquals([first.code, first.stderr.includes("error")], [0, false], first.stderr);
  assertEquals((await workspace.list("tokens")).length, 2);
  assertMatch(first.stdout, /^held out +\d+ kept$/m);
  await assertRefuses(workspace, {
    command: "train",
    args: flags(2, "--resume"),
    parts: ["data.train was ", '"weight":1', '"weight":2'],
  });
});
