/** The command itself, killed at whatever moment: it resumes, and the run is the one that nothing disturbed. */
import { assert, assertEquals } from "@std/assert";
import { parseConfig } from "../../cli/config.ts";
import { listCheckpoints, loadCheckpoint, readCheckpointHeader } from "../../training/checkpoint.ts";
import { readMetrics } from "../../training/output.ts";
import { prepareRun } from "../../training/prepare.ts";
import { testDevice } from "../kernels/harness.ts";
import { assertSame, carryOut, tinyFiles, withoutRate } from "./tiny_run.ts";

const COMMAND = new URL("../../cli/train.ts", import.meta.url).pathname;
/**
 * Milliseconds after a checkpoint began to be written: while tensors are read, written, renamed, or steps go on. Several
 * are 0, since a checkpoint can be complete by the time the signal arrives.
 */
const KILL_AFTER = [0, 250, 0, 40, 0, 500, 0, 15, 0, 120];
/** Enough that no kill comes after the end. */
const STEPS = 60;

const files = await tinyFiles();
const directory = `${files.directory}/killed`;
const yaml = `
model: { path: ${files.model} }
data: { train: ${files.preferences}, eval: ${files.heldOut}, max_length: 64 }
loss: { type: dpo, beta: 0.1 }
reference: { update: hard, every: 3 }
training: { steps: ${STEPS}, batch_size: 4, learning_rate: 1e-3, seed: 1 }
output: { directory: ${directory}, save_every: 2, eval_every: 5, samples: 0 }
`;
const file = `${files.directory}/run.yaml`;
await Deno.writeTextFile(file, yaml);

const start = (...switches: string[]) =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", COMMAND, file, ...switches],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function entries(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** Starts the command and kills it `delay` milliseconds after it has begun to write a checkpoint. */
async function startAndKill({ resume, delay }: { resume: boolean; delay: number }): Promise<void> {
  const child = start(...resume ? ["--resume"] : []).spawn();
  const [output, errors] = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  let ended = false;
  child.status.then(() => ended = true);
  const known = new Set(await entries(`${directory}/checkpoints`));
  const isNew = (name: string) => !known.has(name) && (delay > 0 || name.includes(".partial-"));
  while (!ended && !(await entries(`${directory}/checkpoints`)).some(isNew)) await sleep(5);
  await sleep(delay);
  try {
    child.kill("SIGKILL");
  } catch (error) {
    assert(error instanceof TypeError, `${error}`); // it had ended already
  }
  const { code, signal } = await child.status;
  await output;
  assert(signal === "SIGKILL" || code === 0, `exit code ${code}: ${await errors}`);
}

Deno.test({
  name: "a run that is killed again and again while it writes checkpoints ends as if it had not been",
  ignore: Deno.build.os === "windows",
  async fn() {
    const config = parseConfig("train", { yaml });
    const prepared = await prepareRun(await testDevice(), config);
    prepared.model.directory.close();
    const latest: number[] = [];
    let partials = 0;
    for (const [i, delay] of KILL_AFTER.entries()) {
      await startAndKill({ resume: i > 0, delay });
      const names = await entries(`${directory}/checkpoints`);
      partials += names.filter((name) => name.includes(".partial-")).length;
      const checkpoints = await listCheckpoints(`${directory}/checkpoints`);
      for (const name of checkpoints.slice(-1)) {
        const path = `${directory}/checkpoints/${name}`;
        await loadCheckpoint(prepared.engine, path);
        const { state } = await readCheckpointHeader(path);
        assertEquals(name, `step-${String(state.step).padStart(6, "0")}`);
        latest.push(state.step);
      }
    }
    assertEquals(latest, latest.toSorted((a, b) => a - b));
    assert(latest.length > 0, "no kill came after a checkpoint");
    assert(partials > 0, "no kill came while a checkpoint was written");

    const { code, stderr } = await start("--resume").output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assertEquals(await entries(`${directory}/checkpoints`), [`step-0000${STEPS - 2}`, `step-0000${STEPS}`]);
    const undisturbed = await carryOut({
      ...config,
      output: { ...config.output, directory: `${files.directory}/undisturbed`, saveEvery: 0 },
    });
    assertEquals(withoutRate(await readMetrics(`${directory}/metrics.jsonl`)), withoutRate(undisturbed.rows));
    assertSame(await Deno.readFile(`${directory}/model/model.safetensors`), undisturbed.weights, "weights");
  },
});
