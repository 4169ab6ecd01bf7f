import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { assertMessage, assertOneLine, createWorkspace, parseLines, type Workspace } from "./workspace.ts";

const BASE = `base:
  model: { path: model }
  data: { train: pairs.jsonl, eval: held_out.jsonl, max_length: 64 }
  loss: { type: dpo }
  reference: { update: soft, every: 4 }
  training: { steps: 8, batch_size: 4, learning_rate: 1e-3 }
  output: { directory: runs/s, save_every: 4, eval_every: 4, samples: 0 }
`;

const writeSweep = (workspace: Workspace, grid: string) =>
  workspace.write("sweep.yaml", `${BASE}grid: ${grid}\n`);
const runsIn = async (workspace: Workspace) =>
  (await workspace.list("runs/s")).filter((name) => !name.includes("/") && name.includes("="));

Deno.test("sweep lists its runs, carries them out, compares them, and skips them when it is called again", async () => {
  await using workspace = await createWorkspace();
  await writeSweep(
    workspace,
    "{ reference.update: [soft, frozen], reference.alpha: [0.3, 0.9], training.seed: [0, 1] }",
  );
  const listed = await workspace.run("sweep", ["sweep.yaml", "--dry-run"]);
  assertEquals(listed.code, 0, listed.stderr);
  assertStringIncludes(listed.stdout, "6 runs in runs/s\n");
  assertStringIncludes(listed.stdout, "  update=soft,alpha=0.9,seed=1\n");
  assertStringIncludes(
    listed.stdout,
    "would be ignored by reference.update: frozen: 4 combinations are 2 runs",
  );
  assertEquals(await workspace.list("runs"), []);

  const done = await workspace.run("sweep", ["sweep.yaml"]);
  assertEquals(done.code, 0, done.stderr);
  assertEquals(await runsIn(workspace), [
    ...["update=frozen,seed=0", "update=frozen,seed=1"],
    ...["update=soft,alpha=0.3,seed=0", "update=soft,alpha=0.3,seed=1"],
    ...["update=soft,alpha=0.9,seed=0", "update=soft,alpha=0.9,seed=1"],
  ]);
  assertStringIncludes(done.stdout, "Run 6 of 6: update=frozen,seed=1, about ");
  assertStringIncludes(done.stdout, "update soft, alpha 0.3     2      8");
  const page = await workspace.read("runs/s/comparison.html");
  assertStringIncludes(page, "<h1>Sweep over reference.update, reference.alpha, training.seed</h1>");
  assertStringIncludes(page, "4 combinations are 2 runs.");

  const before = await workspace.snapshot();
  const again = await workspace.run("sweep", ["sweep.yaml"]);
  assertEquals(again.code, 0, again.stderr);
  assertStringIncludes(again.stdout, "6 runs in runs/s, 6 finished");
  assertEquals(again.stdout.includes("Run "), false);
  assertEquals(await workspace.snapshot(), before);

  // A larger grid carries out what is new only.
  await writeSweep(
    workspace,
    "{ reference.update: [soft], reference.alpha: [0.3, 0.6], training.seed: [0] }",
  );
  const more = await workspace.run("sweep", ["sweep.yaml"]);
  assertEquals(more.code, 0, more.stderr);
  assertStringIncludes(more.stdout, "2 runs in runs/s, 1 finished");
  assertStringIncludes(more.stdout, "Run 2 of 2: update=soft,alpha=0.6,seed=0");

  // Other settings are not those of the runs that are there.
  const changed = await workspace.run("sweep", ["sweep.yaml", "--training.steps=9"]);
  assertMessage(changed, [
    "runs/s/update=soft,alpha=0.3,seed=0: was begun with training.steps 8, which is 9 now",
    "runs/s/update=soft,alpha=0.6,seed=0: was begun with training.steps 8, which is 9 now",
    "remove those directories, or give base another output.directory",
  ]);
});

Deno.test("sweep continues a run that was interrupted, to the same bits", async () => {
  await using workspace = await createWorkspace();
  await writeSweep(workspace, "{ training.seed: [0] }");
  assertEquals((await workspace.run("sweep", ["sweep.yaml"])).code, 0);
  const path = "runs/s/seed=0";
  const [weights, metrics] = [await digest(workspace, path), await workspace.read(`${path}/metrics.jsonl`)];

  // What a kill between the checkpoint of step 4 and the end leaves.
  await Deno.remove(`${workspace.root}/${path}/model`, { recursive: true });
  for (const name of await workspace.list(`${path}/checkpoints`)) {
    if (/8$/.test(name)) {
      await Deno.remove(`${workspace.root}/${path}/checkpoints/${name}`, { recursive: true });
    }
  }
  await workspace.write(`${path}/metrics.jsonl`, metrics.split("\n").slice(0, 7).join("\n") + "\n");
  const resumed = await workspace.run("sweep", ["sweep.yaml"]);
  assertEquals(resumed.code, 0, resumed.stderr);
  assertStringIncludes(resumed.stdout, "seed=0  to be continued");
  assertStringIncludes(resumed.stderr, "Resuming after step 4.");
  assertEquals(await digest(workspace, path), weights);
  const withoutRate = (text: string) => parseLines(text).map(({ tokens_per_second: _, ...row }) => row);
  assertEquals(withoutRate(await workspace.read(`${path}/metrics.jsonl`)), withoutRate(metrics));
});

Deno.test("sweep goes on after a run that fails, and says so at its end", async () => {
  await using workspace = await createWorkspace();
  await writeSweep(workspace, "{ data.train: [pairs.jsonl, missing.jsonl, held_out.jsonl] }");
  const result = await workspace.run("sweep", ["sweep.yaml"]);
  assertEquals(result.code, 1);
  assertStringIncludes(result.stderr, "error: 1 of 3 runs failed\n  train=missing.jsonl: ");
  assertEquals(await runsIn(workspace), ["train=held_out.jsonl", "train=pairs.jsonl"]);
  assertStringIncludes(await workspace.read("runs/s/comparison.html"), "train=missing.jsonl failed: ");
});

Deno.test("sweep refuses a grid before its first run, and a directory that holds something else", async () => {
  await using workspace = await createWorkspace();
  await writeSweep(workspace, "{ loss.beta: [0.1, -1, -2], training.seed: [0] }");
  const before = await workspace.snapshot();
  const refused = await workspace.run("sweep", ["sweep.yaml"]);
  assertMessage(refused, ["loss.beta: -1", "in beta=-1,seed=0", "loss.beta: -2"]);
  assertEquals(await workspace.snapshot(), before);
  assertOneLine(await workspace.run("sweep", []), ["name the sweep's file"]);
  assertOneLine(await workspace.run("sweep", ["sweep.yaml", "--loss.beta=1"]), [
    "--loss.beta: would be ignored, because the grid of sweep.yaml varies it",
  ]);
  await writeSweep(workspace, "{ training.seed: [0] }");
  await Deno.mkdir(`${workspace.root}/runs/s/seed=0`, { recursive: true });
  await workspace.write("runs/s/seed=0/notes.txt", "mine");
  const foreign = await workspace.run("sweep", ["sweep.yaml"]);
  assertMessage(foreign, ["runs/s/seed=0: holds something that this sweep didn't begin"]);
  assertEquals(await workspace.read("runs/s/seed=0/notes.txt"), "mine");
});

Deno.test("sweep stops when it is interrupted, and goes on from there", async () => {
  await using workspace = await createWorkspace();
  await writeSweep(workspace, "{ training.steps: [3000, 8] }");
  const process = workspace.start("sweep", ["sweep.yaml"]);
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let stderr = "";
  while (!stderr.includes("step ")) {
    const { value, done } = await reader.read();
    assert(!done, stderr);
    stderr += value;
  }
  process.kill("SIGINT");
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    stderr += value;
  }
  const [{ code }] = await Promise.all([process.status, process.stdout.cancel()]);
  assertEquals(code, 130, stderr);
  assertStringIncludes(stderr, "error: steps=3000: interrupted; the same command again goes on from here");
  assertEquals(await runsIn(workspace), ["steps=3000"]);
  const listed = await workspace.run("sweep", ["sweep.yaml", "--dry-run"]);
  assertStringIncludes(listed.stdout, "steps=3000  to be continued\n  steps=8\n");
});

async function digest(workspace: Workspace, path: string): Promise<string> {
  const digests = await workspace.snapshot();
  const weights = digests[`${path}/model/model.safetensors`];
  assert(weights !== undefined, "no weights were written");
  return weights;
}
