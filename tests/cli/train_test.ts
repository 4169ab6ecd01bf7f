/** `train` and `sft` from files to files. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { parseConfig } from "../../cli/config.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import { weightTensors } from "../../models/weights.ts";
import { sizeOf } from "../../kernels/tensor.ts";
import { claimDirectory } from "../../training/output.ts";
import { prepareRun } from "../../training/prepare.ts";
import { runTraining } from "../../training/run.ts";
import { testDevice } from "../kernels/harness.ts";
import { createWorkspace, parseLines, trainFlags, type Workspace } from "./workspace.ts";

/** Six steps over pairs; the reference moves after steps 2, 4 and 6. */
const YAML = `model: { path: model }
data: { train: pairs.jsonl, eval: held_out.jsonl, max_length: 64 }
loss: { type: dpo, beta: 0.5 }
reference: { update: soft, alpha: 0.6, every: 2 }
training: { steps: 6, batch_size: 4, learning_rate: 1e-2, schedule: constant }
output: { directory: out, save_every: 2, keep_checkpoints: 2, eval_every: 3, samples: 2, sample_tokens: 8 }
`;

const TRAINING_METRICS = [
  "step",
  "epoch",
  "loss",
  "grad_norm",
  "learning_rate",
  "rewards/chosen",
  "rewards/rejected",
  "rewards/margins",
  "rewards/accuracies",
  "rewards_initial/chosen",
  "rewards_initial/rejected",
  "rewards_initial/margins",
  "rewards_initial/accuracies",
  "logps/chosen",
  "logps/rejected",
  "kl/reference",
  "kl/initial",
  "curvature",
  "length/chosen",
  "length/rejected",
  "reference/alpha",
  "reference/updates",
  "tokens_per_second",
];

/** Metrics of held-out records: the same without what a step alone has, and how often chosen is likelier by itself. */
const EVALUATION_METRICS = [
  ...TRAINING_METRICS.filter((name) => /^(loss|rewards|logps|kl|curvature|length)/.test(name)),
  "logps/accuracies",
].map((name) => `eval_${name}`);

type Row = Record<string, number>;

async function metricsOf(workspace: Workspace, directory: string): Promise<Row[]> {
  return parseLines(await workspace.read(`${directory}/metrics.jsonl`)) as Row[];
}

/** Rows without what depends on the clock. */
function timeless(rows: Row[]): Row[] {
  return rows.map(({ tokens_per_second: _, ...row }) => row);
}

/** Every tensor of a model directory. */
async function weightsOf(path: string): Promise<Record<string, Float32Array>> {
  using model = await openModelDirectory(path);
  return Object.fromEntries(
    await Promise.all([...model.tensors.keys()].map(async (name) => [name, await model.read(name)])),
  );
}

/** Runs the configuration that a run wrote, in this process, and gives the policy as the device holds it. */
async function policyAfter(workspace: Workspace, configFile: string): Promise<Record<string, Float32Array>> {
  const { model, data, output, ...config } = parseConfig("train", { yaml: await workspace.read(configFile) });
  const at = (path: string) => `${workspace.root}/${path}`;
  const run = await prepareRun(await testDevice(), {
    ...config,
    model: { ...model, path: at(model.path) },
    data: { ...data, train: data.train.map((path) => at(path as string)), eval: at(data.eval as string) },
    output: { ...output, directory: at("in_process") },
  });
  const directory = await claimDirectory(at("in_process"), { mode: "new" });
  const events = await Array.fromAsync(
    runTraining(run, { output: directory, resume: false, configText: "" }),
  );
  assertEquals(events.at(-1)?.type, "done");
  const weights: Record<string, Float32Array> = {};
  for (const { name, shape, read } of weightTensors(run.engine.device, run.engine.sets.policy, run)) {
    weights[name] = (await read(0, sizeOf(shape))).slice();
  }
  run.model.directory.close();
  return weights;
}

Deno.test("train goes from records to a model, metrics, a report and checkpoints", async (t) => {
  await using workspace = await createWorkspace();
  await workspace.write("run.yaml", YAML.replace("steps: 6", "steps: 60"));
  const { code, stdout, stderr } = await workspace.run("train", ["run.yaml", "--training.steps", "6"]);
  assertEquals(code, 0, stderr);
  const rows = await metricsOf(workspace, "out");

  await t.step(
    "it prints its plan and where its results are, with the settings of flags before the file's",
    () => {
      for (const part of ["6 of 4 records", "3 updates in this run", "One record as the model sees it:"]) {
        assertStringIncludes(stdout, part);
      }
      assertStringIncludes(
        stdout,
        "\nModel:   out/model\nReport:  out/report.html\nMetrics: out/metrics.jsonl\n",
      );
      assertStringIncludes(stderr, "step 6/6  100%");
    },
  );

  await t.step("its directory holds what is documented, and nothing half written", async () => {
    assertEquals(await workspace.list("out"), [
      "checkpoints",
      "checkpoints/step-000004",
      "checkpoints/step-000004/config.json",
      "checkpoints/step-000004/model.safetensors",
      "checkpoints/step-000006",
      "checkpoints/step-000006/config.json",
      "checkpoints/step-000006/model.safetensors",
      "config.yaml",
      "metrics.jsonl",
      "model",
      "model/config.json",
      "model/model.safetensors",
      "model/tokenizer.json",
      "model/tokenizer_config.json",
      "report.html",
    ]);
  });

  await t.step("config.yaml is the configuration as resolved", async () => {
    const written = parseConfig("train", { yaml: await workspace.read("out/config.yaml") });
    assertEquals(written, parseConfig("train", { yaml: YAML }));
  });

  await t.step(
    "metrics.jsonl has one row a step, and held-out metrics before the first and when they are due",
    () => {
      assertEquals(rows.map(({ step }) => step), [0, 1, 2, 3, 4, 5, 6]);
      assertEquals(Object.keys(rows[0]!).toSorted(), ["step", ...EVALUATION_METRICS].toSorted());
      for (const row of rows.slice(1)) {
        const evaluation = row.step! % 3 === 0 ? EVALUATION_METRICS : [];
        assertEquals(Object.keys(row).toSorted(), [...TRAINING_METRICS, ...evaluation].toSorted());
        assert(Object.values(row).every(Number.isFinite));
      }
    },
  );

  await t.step("its numbers are those of a run that starts at its reference and moves it", () => {
    assertAlmostEquals(rows[0]!.eval_loss!, Math.LN2, 1e-6);
    assertAlmostEquals(rows[1]!.loss!, Math.LN2, 1e-6);
    assertEquals(rows.slice(1).map((row) => row["reference/alpha"]), [0, 0.6, 0, 0.6, 0, 0.6]);
    assertEquals(rows.slice(1).map((row) => row["reference/updates"]), [0, 1, 1, 2, 2, 3]);
    assertEquals(rows.slice(1).map(({ learning_rate }) => learning_rate), Array(6).fill(0.01));
    const last = rows.at(-1)!;
    for (const name of ["rewards", "rewards_initial", "eval_rewards", "eval_rewards_initial"]) {
      assertAlmostEquals(last[`${name}/margins`]!, last[`${name}/chosen`]! - last[`${name}/rejected`]!, 1e-9);
    }
    assert(
      last["eval_rewards_initial/margins"]! > last["eval_rewards/margins"]!,
      "the reference follows the policy",
    );
  });

  await t.step("model/ is the policy that the device held at the end, bit for bit", async () => {
    const written = await weightsOf(`${workspace.root}/out/model`);
    assertEquals(written, await policyAfter(workspace, "out/config.yaml"));
    assertNotEquals(written, await weightsOf(`${workspace.root}/model`));
    assertEquals(timeless(await metricsOf(workspace, "in_process")), timeless(rows));
  });

  await t.step("report.html is one page about this run", async () => {
    const report = await workspace.read("out/report.html");
    assert(/^<!doctype html>/i.test(report));
    for (const part of ["<svg", "dpo, reference soft", "learning_rate: 0.01", "Emma asks Nina"]) {
      assert(report.includes(part), `${part} is missing`);
    }
  });

  await t.step("score and generate take the model", async () => {
    const score = await workspace.run("score", ["--model.path=out/model", "--data.records=held_out.jsonl"]);
    assertEquals(parseLines(score.stdout).length, 6);
    const prompt = "--prompt=Anna asks Paul for the tent. Paul says:";
    const answer = await workspace.run("generate", [
      "--model.path=out/model",
      prompt,
      "--generation.max_tokens=4",
    ]);
    assertEquals({ code: answer.code, lines: answer.stdout.split("\n").length }, { code: 0, lines: 2 });
  });

  await t.step("--overwrite replaces the run", async () => {
    const args = ["run.yaml", "--training.steps=1", "--output.eval_every=0", "--overwrite"];
    assertEquals((await workspace.run("train", args)).code, 0);
    assertEquals((await metricsOf(workspace, "out")).map(({ step }) => step), [0, 1]);
    assertEquals((await workspace.list("out/checkpoints")).filter((name) => !name.includes("/")), [
      "step-000001",
    ]);
  });
});

Deno.test("train --dry-run prints the plan, the memory and a record, and writes nothing", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("run.yaml", YAML);
  const before = await workspace.snapshot();
  const { code, stdout, stderr } = await workspace.run("train", ["run.yaml", "--dry-run"]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  for (
    const fact of ["device", "model", "loss", "memory", "records", "held out", "steps", "shapes", "reference"]
  ) {
    assert(new RegExp(`^${fact} +\\S`, "m").test(stdout), `${fact} is missing from:\n${stdout}`);
  }
  assertStringIncludes(stdout, "soft (alpha 0.6, every 2): 3 updates in this run");
  assertStringIncludes(stdout, "--- chosen: ");
  assertEquals(await workspace.snapshot(), before);
});

Deno.test("train --dry-run says whether activations are computed again, why, and what they would take otherwise", async () => {
  await using workspace = await createWorkspace();
  await workspace.write("run.yaml", YAML);
  const activations = async (...flags: string[]) => {
    const { stdout } = await workspace.run("train", ["run.yaml", "--dry-run", ...flags]);
    return /activations (.*), transfers/.exec(stdout)?.[1];
  };
  const { stderr } = await workspace.run("train", ["run.yaml", "--training.memory_limit=1000"]);
  const [, none] = /needs (\d+) bytes on the device/.exec(stderr)!;
  const size = "\\d+\\.\\d [KM]iB";
  for (
    const [flags, text] of [
      [[], `${size} \\(${size} with training.checkpointing: block\\)`],
      [
        ["--training.checkpointing=block"],
        `${size} with training.checkpointing: block \\(${size} without\\)`,
      ],
      [
        [`--training.memory_limit=${Number(none) - 1}`],
        `${size} with training.checkpointing: block, chosen to fit training.memory_limit \\(${size} without\\)`,
      ],
    ] as const
  ) assertMatch((await activations(...flags))!, new RegExp(`^${text}$`));
});

Deno.test("sft on pairs imitates the chosen completions and nothing else", async () => {
  await using workspace = await createWorkspace();
  const pairs = parseLines(await workspace.read("pairs.jsonl"));
  for (const side of ["chosen", "rejected"]) {
    const demonstrations = pairs.map(({ prompt, [side]: completion }) => ({ prompt, completion }));
    await workspace.write(`${side}.jsonl`, demonstrations);
  }
  for (const name of ["pairs", "chosen", "rejected"]) {
    const { code, stderr } = await workspace.run(
      "sft",
      trainFlags({
        "data.train": `${name}.jsonl`,
        "training.steps": 3,
        "training.learning_rate": 1e-2,
        "output.directory": name,
        "output.samples": 0,
      }),
    );
    assertEquals(code, 0, stderr);
  }
  const [fromPairs, fromChosen, fromRejected] = await Promise.all(
    ["pairs", "chosen", "rejected"].map((name) => weightsOf(`${workspace.root}/${name}/model`)),
  );
  assertEquals(fromPairs, fromChosen);
  assertNotEquals(fromPairs, fromRejected);
  const rows = timeless(await metricsOf(workspace, "pairs"));
  assertEquals(rows, timeless(await metricsOf(workspace, "chosen")));
  assertEquals(rows.map(({ step }) => step), [1, 2, 3]);
  assert(rows[2]!.loss! < rows[0]!.loss!);
});
