/** What the training loop asks of the device once it is warm: what it creates, where it waits, what JavaScript costs. */
import { compileLoss } from "../losses/compile.ts";
import { dpo } from "../losses/dpo.ts";
import { frozen } from "../reference/frozen.ts";
import { soft } from "../reference/soft.ts";
import { createEngine, type Engine } from "../training/engine.ts";
import { startOfRun, trainSteps } from "../training/loop.ts";
import { longestSequence, planBatches } from "../training/plan.ts";
import type { TrainingExample } from "../training/records.ts";
import { type Benchmark, type Row, type Table, timeInterleaved } from "./benchmark.ts";
import { prepareCase, SAMPLE_MILLISECONDS, SOFT_ALPHA, uploadCase } from "./case_run.ts";
import { beta, casePairs, casesNamed, optimizer, type StepCase } from "./cases.ts";
import { watchDevice } from "./device_calls.ts";
import { openDevice } from "./environment.ts";
import { type Waits, watchReads } from "./read_waits.ts";

/** Steps that are not counted: buffers for reading results are created as the queue fills. */
const WARM_UP = 20;
/** Steps that are. */
const COUNTED = 50;
/** Steps beyond those, so that the counted ones end while the loop still submits. */
const SPARE = 10;
/** Micro-batches of the run; records repeat after these. */
const BATCHES = 8;

/** Device calls, waits and main-thread time per step of a real loop; the cost of moving the reference. */
export const steadyState: Benchmark = {
  description: "What a warm training loop creates and waits for, and what moving the reference costs",
  flags: [],
  async *run({ rounds }) {
    const [small] = casesNamed(["S"]);
    yield await countCalls(small!);
    const rows: Row[] = [];
    for (const stepCase of casesNamed(["S", "M"])) rows.push(await timeReference(stepCase, rounds));
    yield {
      title: "Moving the reference after every step",
      rows,
      notes: [
        "update ms: θ_ref ← α θ + (1 − α) θ_ref over all weights, many in a row; step ms: a DPO step with a frozen " +
        "reference; alternating, medians.",
      ],
    };
  },
};

async function countCalls(stepCase: StepCase): Promise<Table> {
  const rows: Row[] = [];
  for (const moves of [false, true]) {
    const { engine, steps } = await prepareLoop(stepCase, moves);
    try {
      rows.push({
        reference: moves ? "soft, every step, initial measured" : "frozen",
        ...await watchLoop(steps),
      });
    } finally {
      engine.device.destroy();
    }
  }
  return {
    title: `The training loop on case ${stepCase.name}, over ${COUNTED} steps after ${WARM_UP}`,
    rows,
    notes: [
      "create… and onSubmittedWorkDone are totals of all steps, and zero is the goal. critical waits: results of the step " +
      "submitted last that were awaited before the next was submitted. blocked: mapAsync itself, which returns at once on " +
      "a GPU but on Mesa's CPU driver only when the work is done. JS: the main thread neither awaiting results nor blocked.",
    ],
  };
}

/** A run over pairs of varying length, composed as `training/run.ts` does it. */
async function prepareLoop(stepCase: StepCase, moves: boolean) {
  const { config, pairs, learningRate } = stepCase;
  const examples = Array.from({ length: BATCHES }, (_, stream) => casePairs(stepCase, { stream }))
    .flat().map(shorten);
  const loop = {
    steps: WARM_UP + COUNTED + SPARE,
    batchSize: pairs,
    accumulate: 1,
    seed: 0,
    shuffle: true,
  };
  const plan = planBatches(examples, loop);
  const loss = compileLoss(dpo({ beta }));
  const { engine, waits } = watchReads(
    await createEngine(await openDevice(), {
      config,
      loss,
      sequencesPerRecord: 2,
      reference: moves ? "moving" : "frozen",
      optimizer: { ...optimizer, maxGradNorm: 1 },
      ...plan,
      maxLength: longestSequence(examples),
    }),
  );
  await uploadCase(engine, stepCase);
  engine.copyPolicyToReference();
  const events = trainSteps(engine, {
    ...loop,
    loss,
    sequencesPerRecord: 2,
    examples,
    plan,
    schedule: { schedule: "constant", learningRate, warmup: 0, steps: loop.steps },
    strategy: moves ? soft({ alpha: SOFT_ALPHA, every: 1 }) : frozen(),
    initialEvery: moves ? 1 : 0,
    sameStart: true,
    state: startOfRun(),
  });
  return { engine, steps: { events, waits } };
}

/** The i-th pair with completions cut to between half and all of their length, so that there are several shapes. */
function shorten(example: TrainingExample, i: number): TrainingExample {
  const longest = example.completions[0]!.length;
  const length = longest - i * 7 % (longest / 2);
  return {
    ...example,
    completions: example.completions.map((tokens) => Array.from(tokens).slice(0, length)),
  };
}

async function watchLoop(
  { events, waits }: { events: ReturnType<typeof trainSteps>; waits: Waits },
): Promise<Row> {
  const { counts, reset, stop } = watchDevice();
  let start = 0;
  try {
    for await (const event of events) {
      if (event.type === "pause") throw new Error("The loop paused before all steps were counted");
      if (event.row.step === WARM_UP + COUNTED) break;
      if (event.row.step !== WARM_UP) continue;
      reset();
      Object.assign(waits, { milliseconds: 0, critical: 0 });
      start = performance.now();
    }
  } finally {
    stop();
  }
  const wall = performance.now() - start;
  const { submit, mapAsync, ...others } = counts.calls;
  const busy = wall - waits.milliseconds - counts.mapMilliseconds;
  return {
    ...others,
    "critical waits": waits.critical,
    "submits/step": submit! / COUNTED,
    "mapAsync/step": mapAsync! / COUNTED,
    "wall ms/step": wall / COUNTED,
    "blocked ms/step": counts.mapMilliseconds / COUNTED,
    "JS ms/step": busy / COUNTED,
    "JS share": busy / wall,
  };
}

/** Updates in a row that make a sample. */
const UPDATES = 20;

async function timeReference(stepCase: StepCase, rounds: number): Promise<Row> {
  const device = await openDevice();
  try {
    const run = await prepareCase(device, stepCase, { reference: "moving", sharePrompts: true });
    await run.time(1);
    const count = Math.max(2, Math.round(SAMPLE_MILLISECONDS / await run.time(1)));
    const timings = await timeInterleaved([
      { name: "step", run: () => run.time(count, { move: false }) },
      { name: "update", run: () => timeUpdates(run.engine) },
    ], { rounds });
    const [step, update] = [timings.get("step")!.median, timings.get("update")!.median];
    return { case: stepCase.name, "update ms": update, "step ms": step, "share of a step": update / step };
  } finally {
    device.destroy();
  }
}

async function timeUpdates({ device, moveReference }: Engine): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < UPDATES; i++) moveReference(SOFT_ALPHA);
  await device.gpu.queue.onSubmittedWorkDone();
  return (performance.now() - start) / UPDATES;
}
