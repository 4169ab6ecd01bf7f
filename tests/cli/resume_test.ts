/** Runs that are interrupted, continued, or continued with other settings. */
import { assert, assertEquals } from "@std/assert";
import { assertRefuses, createWorkspace, parseLines, trainFlags, type Workspace } from "./workspace.ts";

const STEPS = 80;
const LONG = trainFlags({
  "training.steps": STEPS,
  "training.batch_size": 2,
  "training.learning_rate": 1e-3,
  "reference.every": 8,
  "output.samples": 0,
});
const RESUME = ["--resume", "--output.directory=out"];

/** Resolves when a run has written its first checkpoint. */
async function firstCheckpoint(workspace: Workspace): Promise<void> {
  while (!(await workspace.list("out/checkpoints")).some((name) => /^step-\d+$/.test(name))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function rowsOf(workspace: Workspace, directory: string): Promise<Record<string, unknown>[]> {
  const rows = parseLines(await workspace.read(`${directory}/metrics.jsonl`));
  return rows.map(({ tokens_per_second: _, ...row }) => row);
}

Deno.test({
  name:
    "train that Ctrl-C interrupts says how to continue, exits with 130, and continues as if nothing had happened",
  ignore: Deno.build.os === "windows", // has no SIGINT to send to another process
  fn: async () => {
    await using workspace = await createWorkspace();
    const child = workspace.start("train", [...LONG, "--output.directory=out", "--output.save_every=20"]);
    const output = child.output();
    await Promise.race([
      firstCheckpoint(workspace),
      output.then(({ stderr }) => {
        throw new Error(`the run has ended early: ${new TextDecoder().decode(stderr)}`);
      }),
    ]);
    child.kill("SIGINT");
    const { code, stderr } = await output;
    const text = new TextDecoder().decode(stderr);
    const message = text.trimEnd().split("\n").at(-1)!;
    const step = message.match(
      /^error: interrupted after step (\d+); continue with --resume --output\.directory out$/,
    )?.[1];
    assert(step !== undefined, message);
    assertEquals(code, 130);
    assert(!/^\s+at /m.test(text), text);
    assertEquals((await workspace.list("out")).filter((name) => /partial|model$/.test(name)), []);
    const before = await rowsOf(workspace, "out");
    assertEquals(before.length, Number(step), "a row for every step up to the interruption");
    assert(before.length < STEPS, "the run was to be interrupted before its end");
    const checkpoints = await workspace.list("out/checkpoints");
    assert(checkpoints.includes(`step-${step.padStart(6, "0")}`), `${checkpoints}`);

    const resumed = await workspace.run("train", RESUME);
    assertEquals(resumed.code, 0, resumed.stderr);
    assert(resumed.stderr.includes(`Resuming after step ${step}.`), resumed.stderr);
    const whole = await workspace.run("train", [...LONG, "--output.directory=whole"]);
    assertEquals(whole.code, 0, whole.stderr);
    const rows = await rowsOf(workspace, "out");
    assertEquals(rows.map(({ step }) => step), Array.from({ length: STEPS }, (_, i) => i + 1));
    assertEquals(rows, await rowsOf(workspace, "whole"));
    const files = await workspace.snapshot();
    assertEquals(files["out/model/model.safetensors"], files["whole/model/model.safetensors"]);
  },
});

Deno.test("train refuses to resume with changed settings, names the key, and changes nothing", async () => {
  await using workspace = await createWorkspace();
  const args = trainFlags({ "training.steps": 2, "output.directory": "out", "output.samples": 0 });
  const { code, stderr } = await workspace.run("train", args);
  assertEquals(code, 0, stderr);
  const refuses = (change: string, part: string) =>
    assertRefuses(workspace, {
      command: "train",
      args: [...RESUME, change],
      parts: [`out/checkpoints/step-000002: ${part}`, "give it those or start another run"],
    });
  await refuses("--training.learning_rate=0.5", "training.learning_rate was 0.000001 and is 0.5 now");
  await refuses("--reference.alpha=0.5", "reference.alpha was 0.6 and is 0.5 now");
  await refuses(
    "--data.train=held_out.jsonl",
    'data.train was ["pairs.jsonl"] and is ["held_out.jsonl"] now',
  );
});
