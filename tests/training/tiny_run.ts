/** Whole runs on a model of two layers and 32 channels, over the quick start's tokenizer and corpus. */
import { assert, assertEquals } from "@std/assert";
import { parseModelConfig } from "../../models/families/mod.ts";
import type { FloatType } from "../../models/files/floats.ts";
import { writeModelDirectory } from "../../models/files/write_directory.ts";
import { initialTensors } from "../../models/initialize.ts";
import { readBuffer } from "../../models/weights.ts";
import { quickStartModelConfig, writeQuickStart } from "../../examples/quick_start/mod.ts";
import type { Device } from "../../kernels/device.ts";
import type { ParameterSet } from "../../kernels/parameters.ts";
import type { RunConfig } from "../../training/config.ts";
import { startOfRun } from "../../training/loop_options.ts";
import type { Metrics } from "../../training/metrics.ts";
import { claimDirectory, type OutputDirectory, readMetrics } from "../../training/output.ts";
import { type PreparedRun, type PrepareOptions, prepareRun } from "../../training/prepare.ts";
import { isRounded } from "../../training/reference_settings.ts";
import { type RunEvent, runTraining } from "../../training/run.ts";
import type { StepProfile } from "../../training/step_profile.ts";
import { testDevice } from "../kernels/harness.ts";

/** Files that the runs of one test read. */
export interface TinyFiles {
  /** A directory of the test's own. */
  directory: string;
  /** The model: untied embeddings, random weights. */
  model: string;
  /** 60 demonstrations. */
  supervised: string;
  /** 40 pairs. */
  preferences: string;
  /** 12 pairs. */
  heldOut: string;
}

/** Writes the files; `seed` gives another model. */
export async function tinyFiles({ seed = 0 }: { seed?: number } = {}): Promise<TinyFiles> {
  const directory = await Deno.makeTempDir({ prefix: "tr_align_" });
  addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  const written = await writeQuickStart(`${directory}/data`, {
    supervised: 60,
    preferences: 40,
    heldOut: 12,
  });
  const model = `${directory}/model`;
  await writeTinyModel(model, { seed, tokenizer: written.model });
  const { supervised, preferences, heldOut } = written;
  return { directory, model, supervised, preferences, heldOut };
}

/** Writes the tiny model, and beside it the tokenizer's files from the directory `tokenizer`. */
export async function writeTinyModel(
  path: string,
  { seed, tokenizer, change = {}, dtype = "F32" }: {
    seed: number;
    tokenizer: string;
    change?: Record<string, unknown>;
    dtype?: FloatType;
  },
): Promise<void> {
  const json = {
    ...quickStartModelConfig(),
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 16,
    tie_word_embeddings: false,
    ...change,
  };
  await writeModelDirectory(path, {
    config: json,
    tensors: initialTensors(parseModelConfig(json, { name: "tiny" }), { seed, deviation: 0.15 }),
    dtype,
    copyFrom: tokenizer,
  });
}

/** Settings that a test changes, section by section. */
export type Changes =
  & {
    [Section in "model" | "data" | "training" | "output"]?: Partial<RunConfig[Section]>;
  }
  & Pick<RunConfig, "loss" | "reference">;

/** Twelve steps of DPO on batches of four pairs. */
export function tinyConfig(files: TinyFiles, changes: Changes = {}): RunConfig {
  return {
    model: { path: files.model, dtype: "float32", ...changes.model },
    data: {
      train: [files.preferences],
      eval: null,
      evalRecords: null,
      maxLength: 64,
      maxPromptLength: null,
      truncate: "keep_end",
      template: null,
      shuffle: true,
      invalid: "error",
      ...changes.data,
    },
    loss: changes.loss ?? [{ type: "dpo", weight: 1, beta: 0.1, labelSmoothing: 0 }],
    reference: changes.reference ?? { update: "frozen", path: null },
    training: {
      steps: 12,
      batchSize: 4,
      accumulate: 1,
      learningRate: 1e-3,
      schedule: "linear",
      warmup: 2,
      weightDecay: 0.01,
      adamBetas: [0.9, 0.999],
      adamEpsilon: 1e-8,
      maxGradNorm: 2,
      seed: 1,
      initialEvery: 1,
      memoryLimit: null,
      ...changes.training,
    },
    output: {
      directory: `${files.directory}/run`,
      saveEvery: 5,
      evalEvery: 0,
      logEvery: 1,
      keepCheckpoints: 2,
      samples: 0,
      sampleTokens: 8,
      ...changes.output,
    },
    generation: { temperature: 1, topK: null, topP: null, seed: 0 },
  };
}

/** The same as supervised fine-tuning, which has neither loss nor reference. */
export function tinySftConfig(files: TinyFiles, changes: Changes = {}): RunConfig {
  const { loss: _, reference: __, ...config } = tinyConfig(files, {
    ...changes,
    data: { train: [files.supervised], ...changes.data },
  });
  return config;
}

/** What a run left. */
export interface Finished {
  output: OutputDirectory;
  rows: Metrics[];
  events: RunEvent["type"][];
  /** Bytes of the trained model's weights; empty if the run was stopped or wrote an adapter only. */
  weights: Uint8Array;
  /** The profile, if one was asked for. */
  profile: StepProfile | undefined;
}

/**
 * Carries out a run in an engine of its own. `stopAfter` abandons it once that step's metrics are there, as a kill
 * would, at a moment when later steps are under way.
 */
export async function carryOut(
  config: RunConfig,
  options: PrepareOptions & {
    resume?: boolean;
    stopAfter?: number;
    device?: Device;
    profile?: boolean;
  } = {},
): Promise<Finished> {
  const { resume = false, stopAfter, device = await testDevice(), profile = false, ...prepare } = options;
  const run = await prepareRun(device, config, prepare);
  try {
    const output = await claimDirectory(config.output.directory, { mode: resume ? "resume" : "new" });
    const events: RunEvent["type"][] = [];
    const configText = "settings of the run\n";
    let stepProfile: StepProfile | undefined;
    for await (const event of runTraining(run, { output, resume, configText, profile })) {
      events.push(event.type);
      if (event.type === "profile") stepProfile = event.profile;
      if (event.type === "step" && event.row.step === stopAfter) break;
    }
    const isWritten = stopAfter === undefined && config.model.lora?.merge !== false;
    const weights = isWritten ? await Deno.readFile(`${output.model}/model.safetensors`) : new Uint8Array();
    return { output, rows: await readMetrics(output.metrics), events, weights, profile: stepProfile };
  } finally {
    run.model.directory.close();
  }
}

/** Rows without what differs from one run to the next. */
export function withoutRate(rows: readonly Metrics[]): Metrics[] {
  return rows.map(({ tokens_per_second: _, ...row }) => row);
}

/** Every number of a parameter set, in the order of its buffers. */
export async function readSet(device: Device, set: ParameterSet | null): Promise<Float32Array<ArrayBuffer>> {
  const parts: Float32Array<ArrayBuffer>[] = [];
  for (const buffer of set!.buffers) parts.push(await readBuffer(device, buffer));
  return new Float32Array(await new Blob(parts).arrayBuffer());
}

/** Fails unless all numbers are the same, of which there may be so many that no one wants to see them. */
export function assertSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assertEquals(actual.length, expected.length, `${what}: lengths differ`);
  for (let i = 0; i < expected.length; i++) {
    assert(Object.is(actual[i], expected[i]), `${what}: number ${i} is ${actual[i]}, wanted ${expected[i]}`);
  }
}

/** Options of `trainSteps` for a prepared run, as `runTraining` gives them. */
export function loopOptions(run: PreparedRun) {
  return {
    ...run.config.training,
    loss: run.loss,
    sequencesPerRecord: run.sequencesPerRecord,
    examples: run.records.examples,
    plan: run.plan,
    mismatch: run.mismatch,
    shuffle: run.config.data.shuffle,
    schedule: run.config.training,
    strategy: run.strategy,
    initialEvery: run.config.training.initialEvery ?? 0,
    sameStart: run.hasReference && run.config.reference?.path === null && !isRounded(run.config.reference),
    state: startOfRun(),
  };
}
