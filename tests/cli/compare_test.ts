import { assertEquals, assertStringIncludes } from "@std/assert";
import { assertOneLine, assertRefuses, createWorkspace, trainFlags } from "./workspace.ts";

Deno.test("compare writes a page of two runs and prints their numbers", async () => {
  await using workspace = await createWorkspace();
  for (const alpha of [0.2, 0.8]) {
    const { code, stderr } = await workspace.run(
      "train",
      trainFlags({
        "training.steps": 6,
        "training.batch_size": 4,
        "loss.type": "dpo",
        "reference.alpha": alpha,
        "reference.every": 2,
        "data.eval": "held_out.jsonl",
        "output.eval_every": 2,
        "output.samples": 0,
        "output.directory": `runs/${alpha}`,
      }),
    );
    assertEquals(code, 0, stderr);
  }
  const estimate = (mean: number) => ({
    mean,
    standard_error: 1,
    interval: [mean - 0.25, mean + 0.25],
    count: 5,
  });
  await workspace.write(
    "runs/0.2/evaluation.json",
    JSON.stringify({
      settings: {},
      measures: { "samples/kl/initial": estimate(2), "gold/win_rate": { ...estimate(0.75), wins: 4 } },
      notes: [],
    }),
  );
  const { code, stdout, stderr } = await workspace.run("compare", [
    "runs/0.2",
    "runs/0.8/",
    "--output",
    "c.html",
  ]);
  assertEquals(code, 0, stderr);
  const lines = stdout.split("\n");
  assertEquals(lines[0]!.split(/\s{2,}/).slice(0, 4), ["setting", "runs", "steps", "held-out accuracy"]);
  assertEquals(lines.slice(1, 3).map((line) => line.split(/\s{2,}/).slice(0, 3)), [
    ["alpha 0.2", "1", "6"],
    ["alpha 0.8", "1", "6"],
  ]);
  const page = await workspace.read("c.html");
  for (
    const part of [
      "Held-out margin over KL",
      "<td>0.75 [0.5, 1]</td>",
      "Win rate by the gold score over KL",
      "reference.alpha",
    ]
  ) {
    assertStringIncludes(page, part);
  }
});

Deno.test("compare refuses what is no run, what is named twice, and flags that it doesn't know", async () => {
  await using workspace = await createWorkspace();
  const refuses = (args: string[], ...parts: string[]) =>
    assertRefuses(workspace, { command: "compare", args, parts });
  await refuses([], "name the directories of the runs");
  await refuses(["model"], "model: not the directory of a run, which has a config.yaml");
  await refuses(["pairs.jsonl"], "pairs.jsonl: not the directory of a run");
  await refuses(["nowhere"], "nowhere: not the directory of a run");
  await refuses(["model", "model/"], "model: is named twice");
  await refuses(["model", "--outptu=x"], "--outptu: unknown flag; did you mean --output?");
  await Deno.mkdir(`${workspace.root}/begun`);
  await workspace.write("begun/config.yaml", "loss: { type: dpo }\n");
  assertOneLine(await workspace.run("compare", ["begun"]), ["begun: has no metrics yet"]);
  await workspace.write("begun/metrics.jsonl", `{"step":1,"loss":0.7}\n`);
  await workspace.write("begun/evaluation.json", `{"gold":1}`);
  assertOneLine(await workspace.run("compare", ["begun"]), [
    "begun/evaluation.json: not what evaluate writes",
  ]);
  await Deno.remove(`${workspace.root}/begun/evaluation.json`);
  assertOneLine(await workspace.run("compare", ["begun", "--output=no/such/c.html"]), [
    "no/such/c.html: cannot write here",
  ]);
});
