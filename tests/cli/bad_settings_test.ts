/** What the commands say of settings and output directories that they cannot use; nothing is written then. */
import { assertEquals } from "@std/assert";
import { assertMessage, assertRefuses, createWorkspace, trainFlags, type Workspace } from "./workspace.ts";

const YAML = `model: { path: model }
data:
  train: pairs.jsonl
  max_length: 64
output:
  directory: out
`;

/** Settings that cannot be used, and what the one line must name. */
interface BadSettings {
  what: string;
  /** What follows the usual settings in the file. */
  yaml?: string;
  args?: readonly string[];
  parts: readonly string[];
}

const badSettings: readonly BadSettings[] = [
  {
    what: "an unknown key",
    yaml: "training:\n  steps: 3\n  learning_rat: 0.1\n",
    parts: ["run.yaml: training.learning_rat: unknown key; did you mean training.learning_rate? (line 9)"],
  },
  {
    what: "an unknown flag",
    args: ["--training.learning_rat=0.1"],
    parts: ["--training.learning_rat: unknown key; did you mean --training.learning_rate?"],
  },
  {
    what: "broken YAML",
    yaml: "loss: { type: dpo\ntraining: 1\n",
    parts: ["run.yaml: not valid YAML: ", "line 8"],
  },
  {
    what: "a value that is no number",
    yaml: "training:\n  steps: many\n",
    parts: ['run.yaml: training.steps: "many" is not a whole number of at least 1 (line 8)'],
  },
  {
    what: "alpha above 1",
    yaml: "reference: { update: soft, alpha: 1.5 }\n",
    parts: ["run.yaml: reference.alpha: 1.5 is not a number above 0 and at most 1 (line 7)"],
  },
  {
    what: "alpha 0",
    args: ["--reference.alpha=0"],
    parts: ["run.yaml: reference.alpha: 0 is not a number above 0 and at most 1 (--reference.alpha)"],
  },
  {
    what: "a reference that is the policy at every step",
    yaml: "reference: { update: soft, alpha: 1, every: 1 }\n",
    parts: [
      "run.yaml: reference.every: 1 with alpha 1 copies the policy after every step",
      "raise it (line 7)",
    ],
  },
  {
    what: "ipo without average",
    yaml: "loss: { type: ipo, beta: 0.1 }\n",
    parts: ["run.yaml: loss.average: is missing: ", "sum", "mean", "(line 7)"],
  },
  {
    what: "a second file",
    args: ["absent.yaml"],
    parts: ["absent.yaml: unexpected; the configuration is one file, and that is run.yaml"],
  },
  {
    what: "max_length beyond the model's positions",
    args: ["--data.max_length=129"],
    parts: ["data.max_length is 129, but model reads at most 128 tokens (max_position_embeddings)"],
  },
  {
    what: "a memory limit that is too small",
    args: ["--training.memory_limit=100000"],
    parts: [" bytes on the device (", "more than the limit of 100000 bytes"],
  },
  {
    what: "--resume beside --overwrite",
    args: ["--resume", "--overwrite"],
    parts: ["--resume would be ignored beside --overwrite; give one of them"],
  },
];

for (const { what, yaml = "", args = [], parts } of badSettings) {
  Deno.test(`train refuses ${what}`, async () => {
    await using workspace = await createWorkspace();
    await workspace.write("run.yaml", YAML + yaml);
    await assertRefuses(workspace, { command: "train", args: ["run.yaml", ...args], parts });
  });
}

Deno.test("train names every problem of a configuration on a line of its own", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("run.yaml", YAML + "loss: { beta: -1 }\ntraining: { seeds: 4 }\n");
  const before = await workspace.snapshot();
  const result = await workspace.run("train", ["run.yaml", "--training.steps=none"]);
  assertMessage(result, [
    "error: run.yaml: 3 problems\n",
    "\n  training.seeds: unknown key; did you mean training.seed? (line 8)\n",
    "\n  loss.beta: -1 is not a number above 0 (line 7)\n",
    '\n  training.steps: "none" is not a whole number of at least 1 (--training.steps)\n',
  ]);
  assertEquals(result.stderr.trimEnd().split("\n").length, 4);
  assertEquals(await workspace.snapshot(), before);
});

Deno.test("score refuses a memory limit that is too small and a file that is there, and leaves no other", async () => {
  await using workspace = await createWorkspace();
  const args = ["--model.path=model", "--data.records=pairs.jsonl", "--output.file=scores.jsonl"];
  await assertRefuses(workspace, {
    command: "score",
    args: [...args, "--memory_limit=1000"],
    parts: [" bytes on the device (", "more than the limit of 1000 bytes"],
  });
  await assertRefuses(workspace, {
    command: "score",
    args: [...args.slice(0, 2), "--output.file=absent/scores.jsonl"],
    parts: ["absent/scores.jsonl: cannot write here: "],
  });
  await workspace.write("scores.jsonl", "precious\n");
  const parts = ["scores.jsonl: a file is there already; choose another name for output.file"];
  await assertRefuses(workspace, { command: "score", args, parts });
});

const train = (workspace: Workspace, args: readonly string[], parts: readonly string[]) =>
  assertRefuses(workspace, { command: "train", args: [...trainFlags(), ...args], parts });

Deno.test("train refuses an output directory that is not empty, not a run, or cannot be", async () => {
  await using workspace = await createWorkspace();
  await Deno.mkdir(`${workspace.root}/out`);
  await workspace.write("out/thesis.txt", "precious\n");
  await train(workspace, ["--output.directory=out"], [
    "out: the output directory is not empty; choose another, or continue the run in it with --resume, or replace it with",
  ]);
  await train(workspace, ["--output.directory=out", "--overwrite"], [
    "out: --overwrite replaces a former run, but this directory holds something else",
  ]);
  await train(workspace, ["--output.directory=pairs.jsonl"], [
    "pairs.jsonl: cannot be used as output directory: ",
  ]);
  await train(workspace, ["--output.directory=pairs.jsonl/out"], [
    "pairs.jsonl/out: cannot be used as output directory: ",
  ]);
});

Deno.test("train refuses to resume where there is no run", async () => {
  await using workspace = await createWorkspace();
  await Deno.mkdir(`${workspace.root}/empty`);
  for (const directory of ["absent", "empty"]) {
    const parts = [`${directory}: there is no run to resume here; leave out --resume to start one`];
    const resume = [`--output.directory=${directory}`, "--resume"];
    await train(workspace, resume, parts);
    await workspace.write("run.yaml", YAML);
    await assertRefuses(workspace, { command: "train", args: ["run.yaml", ...resume], parts });
    await assertRefuses(workspace, { command: "sft", args: resume, parts });
  }
  await assertRefuses(workspace, {
    command: "train",
    args: ["--resume"],
    parts: ["--resume: name the run to continue, with --output.directory or its configuration file"],
  });
});

Deno.test("train leaves a former run alone where the one that is to replace it cannot start", async () => {
  await using workspace = await createWorkspace();
  await Deno.mkdir(`${workspace.root}/out/model`, { recursive: true });
  await workspace.write("out/config.yaml", YAML);
  await workspace.write("out/metrics.jsonl", '{"step":1}\n');
  await workspace.write("out/model/model.safetensors", "precious");
  const overwrite = ["--output.directory=out", "--overwrite"];
  await train(workspace, [...overwrite, "--data.eval=absent.jsonl"], [
    "Cannot read absent.jsonl: no such file",
  ]);
  await train(workspace, [...overwrite, "--reference.path=absent"], ["absent: there is no such directory"]);
  await train(workspace, [...overwrite, "--training.memory_limit=1000"], [
    "more than the limit of 1000 bytes",
  ]);
});
