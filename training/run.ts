/**
 * A whole run: weights, steps, evaluations, checkpoints, the trained model. This module does file I/O and uses `Deno.*`.
 */
import { writeAdapterDirectory } from "../models/files/adapter_directory.ts";
import { writeModelDirectory } from "../models/files/write_directory.ts";
import { writeFileAtomic } from "../models/files/write_file.ts";
import { mergedTensors } from "../models/lora/merge.ts";
import { adapterValues } from "../models/lora/values.ts";
import { weightTensors } from "../models/weights.ts";
import {
  type CheckpointHeader,
  listCheckpoints,
  loadCheckpoint,
  readCheckpointHeader,
  removePartial,
  saveCheckpoint,
} from "./checkpoint.ts";
import type { RunConfig } from "./config.ts";
import { evaluate } from "./evaluate.ts";
import { startOfRun, trainSteps } from "./loop.ts";
import type { Metrics } from "./metrics.ts";
import { openMetrics, type OutputDirectory } from "./output.ts";
import { loadWeights, type PreparedRun } from "./prepare.ts";
import { isRounded } from "./reference_settings.ts";
import { createSampler, type Sample } from "./samples.ts";
import { createStepProfiler, type StepProfile } from "./step_profile.ts";

/** What a run tells while it goes on. */
export type RunEvent =
  /** The weights are loaded; training starts after `step`. */
  | { readonly type: "start"; readonly step: number; readonly rows: readonly Metrics[] }
  /** A step is done. */
  | { readonly type: "step"; readonly row: Metrics; readonly rows: readonly Metrics[] }
  /** The step that was to be profiled is done; its trace was written. */
  | { readonly type: "profile"; readonly profile: StepProfile; readonly path: string }
  /** A checkpoint was written. */
  | { readonly type: "checkpoint"; readonly path: string }
  /** The run stopped as asked; a checkpoint of this step was written. */
  | { readonly type: "stopped"; readonly step: number; readonly rows: readonly Metrics[] }
  /** The trained model was written. */
  | { readonly type: "done"; readonly rows: readonly Metrics[]; readonly samples: readonly Sample[] };

/** Options of {@linkcode runTraining}. */
export interface RunOptions {
  /** Where to write; claimed already. */
  readonly output: OutputDirectory;
  /** Continue from the directory's last checkpoint. */
  readonly resume: boolean;
  /** The configuration as text, for the directory. */
  readonly configText: string;
  /** Profile one step, once the run is warm, and write its trace. */
  readonly profile?: boolean;
  /** Asked after every step; once it says yes, the run saves a checkpoint and stops. */
  readonly stop?: () => boolean;
}

/**
 * Carries out a prepared run, yielding what happens.
 *
 * Metrics go to `metrics.jsonl`, the state to `checkpoints/`, the trained policy to `model/` in Hugging Face layout,
 * an adapter to `adapter/` in PEFT's, the trace of a profiled step to `trace.json`.
 *
 * @throws If training must stop (see `trainSteps`), a resumed run is not the one that was interrupted, or there is nothing
 * to profile. What was written until then stays.
 */
export async function* runTraining(run: PreparedRun, options: RunOptions): AsyncGenerator<RunEvent> {
  const { engine, config } = run;
  const { output, resume } = options;
  const { training, data } = config;
  const state = startOfRun();
  const identity = identityOf(config);

  await loadWeights(run);
  const sampler = await createSampler(run);
  const before = await sampler.draw();
  if (resume) {
    for (const path of [output.path, output.checkpoints]) await removePartial(path);
    const [latest] = (await listCheckpoints(output.checkpoints)).slice(-1);
    if (latest !== undefined) {
      const path = `${output.checkpoints}/${latest}`;
      const header = await readCheckpointHeader(path);
      checkIdentity(header, { identity, path });
      await loadCheckpoint(engine, path);
      Object.assign(state, header.state);
    }
  }
  const profiler = options.profile
    ? createStepProfiler(engine, { start: state.step, steps: training.steps })
    : null;
  await writeFileAtomic(output.config, options.configText);
  const metrics = await openMetrics(output.metrics, { step: state.step });
  try {
    yield { type: "start", step: state.step, rows: metrics.rows };
    // A run that was stopped before its first checkpoint starts again, and has this row already.
    if (state.step === 0 && run.heldOut !== null && metrics.rows.length === 0) {
      metrics.append({ step: 0, ...await evaluateRun(run) });
    }

    const isDue = (step: number, every: number) =>
      step === training.steps || (every > 0 && step % every === 0);
    const evaluates = (step: number) => run.heldOut !== null && isDue(step, config.output.evalEvery);
    const saves = (step: number) => isDue(step, config.output.saveEvery);
    const logs = (step: number) => evaluates(step) || saves(step) || step % config.output.logEvery === 0;
    // Asked once a step, so that the loop and what follows it agree.
    let stoppedAt = Infinity;
    const stops = (step: number) => {
      if (stoppedAt === Infinity && options.stop?.()) stoppedAt = step;
      return step === stoppedAt;
    };
    const profiles = (step: number) => profiler?.pausesAfter(step) ?? false;
    // The row of a step after which the loop pauses waits for what that adds.
    let held: Metrics | undefined;
    profiler?.startAfter(state.step);
    const steps = trainSteps(engine, {
      ...training,
      loss: run.loss,
      sequencesPerRecord: run.sequencesPerRecord,
      examples: run.records.examples,
      plan: run.plan,
      mismatch: run.mismatch,
      shuffle: data.shuffle,
      mixture: run.records.mixture,
      schedule: training,
      strategy: run.strategy,
      initialEvery: training.initialEvery ?? 0,
      sameStart: run.hasReference && config.reference?.path === null && !isRounded(config.reference),
      state,
      pauseAfter: (step) => stops(step) || evaluates(step) || saves(step) || profiles(step),
    });
    for await (const event of steps) {
      if (event.type === "metrics") {
        const step = event.row.step!;
        if (step === stoppedAt || evaluates(step) || saves(step) || profiles(step)) held = event.row;
        else if (logs(step)) {
          metrics.append(event.row);
          yield { type: "step", row: event.row, rows: metrics.rows };
        }
        continue;
      }
      const { step } = state;
      const profile = await profiler?.finishAfter(step);
      if (profile) {
        await writeFileAtomic(output.trace, JSON.stringify(profile.trace));
        yield { type: "profile", profile, path: output.trace };
      }
      const row = { ...held!, ...(evaluates(step) ? await evaluateRun(run) : {}) };
      if (logs(step)) {
        metrics.append(row);
        yield { type: "step", row, rows: metrics.rows };
      }
      if (step === stoppedAt || saves(step)) {
        await saveCheckpoint(engine, output.checkpoints, {
          state,
          identity,
          keep: config.output.keepCheckpoints,
        });
        yield { type: "checkpoint", path: output.checkpoints };
      }
      if (step === stoppedAt && step < training.steps) {
        yield { type: "stopped", step, rows: metrics.rows };
        return;
      }
      profiler?.startAfter(step);
    }
    const after = await sampler.draw();
    await writePolicy(run, output);
    const samples = before.map((sample, i) => ({ ...sample, after: after[i]!.before }));
    yield { type: "done", rows: metrics.rows, samples };
  } finally {
    metrics.close();
  }
}

function evaluateRun(run: PreparedRun): Promise<Metrics> {
  return evaluate(run.engine, {
    examples: run.heldOut!.examples,
    loss: run.loss,
    sequencesPerRecord: run.sequencesPerRecord,
    batchSize: run.config.training.batchSize,
    shapes: run.plan.shapes,
    hasReference: run.hasReference,
    mismatch: run.mismatch,
  });
}

/** Writes the trained policy: its adapter if it has one, and the whole model. */
async function writePolicy(
  { engine, parameters, model, config, lora, files }: PreparedRun,
  output: OutputDirectory,
): Promise<void> {
  const { device, sets } = engine;
  const { path, dtype, lora: settings } = config.model;
  if (lora !== null) {
    const { layout } = lora.options;
    await writeAdapterDirectory(output.adapter, {
      layout,
      tensors: adapterValues(device, sets.policy, { layout }),
      baseModel: path,
      transposed: model.config.transposed,
      copyFrom: files.model,
    });
    if (!settings!.merge) return;
  }
  await writeModelDirectory(output.model, {
    config: model.directory.config,
    tensors: lora === null
      ? weightTensors(device, sets.policy, { parameters })
      : await mergedTensors(device, sets.base!, {
        parameters,
        adapters: engine.weights("policy").adapters!,
      }),
    dtype: ({ float32: "F32", float16: "F16", bfloat16: "BF16" } as const)[dtype],
    copyFrom: files.model,
    replace: true,
  });
}

/** What must not change between the parts of a run that is resumed: all that numbers depend on. */
function identityOf(config: RunConfig) {
  const { model, loss, reference } = config;
  const { cache: _, ...data } = config.data;
  const { memoryLimit: __, checkpointing: ___, ...training } = config.training;
  return JSON.parse(JSON.stringify({ model, data, loss, reference, training }));
}

function checkIdentity(
  { identity }: CheckpointHeader,
  { identity: now, path }: { identity: unknown; path: string },
): void {
  const flatten = (value: unknown, prefix = ""): [string, string][] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) =>
        flatten(inner, prefix === "" ? key : `${prefix}.${key}`)
      )
      : [[prefix, JSON.stringify(value)]];
  const then = new Map(flatten(identity));
  for (const [key, value] of flatten(now)) {
    if (then.get(key) === value) continue;
    throw new Error(
      `${path}: ${snakeCase(key)} was ${
        then.get(key) ?? "not set"
      } and is ${value} now; a resumed run continues with ` +
        "its own settings, so give it those or start another run",
    );
  }
}

// Settings are named as they are written in a configuration file.
function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
