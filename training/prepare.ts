/** Everything that is decided before a run's first step: data, batches, loss, strategy, memory. */
import { type CompiledLoss, compileLoss } from "../losses/compile.ts";
import type { PreferenceLossFunction } from "../losses/batch.ts";
import type { MismatchOptions } from "../data/mismatch.ts";
import { epochLength } from "../data/position.ts";
import type { Device } from "../kernels/device.ts";
import { type ModelDirectory, openModelDirectory } from "../models/files/directory.ts";
import type { ModelConfig } from "../models/config.ts";
import { parseModelConfig } from "../models/families/mod.ts";
import { checkTensors } from "../models/tensors.ts";
import { modelParameters } from "../models/families/mod.ts";
import type { ModelParameter } from "../models/parameters.ts";
import { uploadDirectory } from "../models/weights.ts";
import { describeUpdates, updateAlphas } from "../reference/forecast.ts";
import type { ReferenceStrategy } from "../reference/strategy.ts";
import { referenceWarnings } from "../reference/warnings.ts";
import { lossOf, type RunConfig } from "./config.ts";
import { createEngine, type Engine } from "./engine.ts";
import { type LoadedModel, loadModel, withFullNames } from "./load.ts";
import { type LoadedRecords, loadRunRecords, type RunRecords } from "./load_records.ts";
import { loadAdapter, type LoraPlan, planLora } from "./lora.ts";
import { needsHost } from "./step.ts";
import type { TrainingLoss } from "./metrics.ts";
import { type BatchPlan, longestSequence, planBatches } from "./plan.ts";
import { isRounded, strategyOf } from "./reference_settings.ts";
import { MEASURED_AFTER } from "./reference_update.ts";
import { locateRun, type RunFiles } from "./sources.ts";

/** A run that is ready to start. */
export interface PreparedRun {
  /** The settings. */
  readonly config: RunConfig;
  /** Where the files are that the settings name. */
  readonly files: RunFiles;
  /** The model's files, closed by {@linkcode runTraining} or by the caller. */
  readonly model: LoadedModel;
  /** Its parameters. */
  readonly parameters: readonly ModelParameter[];
  /** The adapters that are trained in place of its weights; null if there are none. */
  readonly lora: LoraPlan | null;
  /** What is minimized. */
  readonly loss: TrainingLoss;
  /** Completions in a record. */
  readonly sequencesPerRecord: 1 | 2;
  /** Whether the loss compares with a reference. */
  readonly hasReference: boolean;
  /** When the reference moves. */
  readonly strategy: ReferenceStrategy;
  /** How often it will, in words. */
  readonly referenceForecast: string;
  /** What is doubtful about the settings, one line each. */
  readonly warnings: readonly string[];
  /** Training records. */
  readonly records: LoadedRecords;
  /** Held-out records, if any. */
  readonly heldOut: LoadedRecords | null;
  /** How prompts with another record's completion are kept within length. */
  readonly mismatch: MismatchOptions;
  /** Batches and their shapes. */
  readonly plan: BatchPlan;
  /** State and programs on the device; the weights are not loaded yet. */
  readonly engine: Engine;
}

/** Options of {@linkcode prepareRun}. */
export interface PrepareOptions {
  /** A loss of the user's own instead of the configured one; over pairs, computed on the host in every step. */
  readonly loss?: PreferenceLossFunction;
  /** Where the files are, if that has been found out with `locateRun`; else it is now. */
  readonly files?: RunFiles;
}

/**
 * Reads a run's files, plans its batches and memory, and builds its programs.
 *
 * @throws If anything in the files or settings can't be used, or the run doesn't fit the device.
 */
export async function prepareRun(
  device: Device,
  given: RunConfig,
  options: PrepareOptions = {},
): Promise<PreparedRun> {
  const { config, files } = options.files === undefined
    ? await locateRun(given)
    : { config: given, files: options.files };
  const { data, training } = config;
  const loss: TrainingLoss = options.loss ?? compileLoss(lossOf(config));
  const strategy = strategyOf(config);
  const kind = recordsFor(loss, config);
  const sequencesPerRecord = kind === "pairs" ? 2 : 1;
  const model = await loadModel(files.model, { template: data.template });
  try {
    if (data.maxLength > model.config.maxPositions) {
      throw new Error(
        `data.max_length is ${data.maxLength}, but ${config.model.path} reads at most ${model.config.maxPositions} tokens ` +
          "(max_position_embeddings)",
      );
    }
    const { records, heldOut } = await loadRunRecords(data, {
      wanted: kind,
      needsMargins: typeof loss !== "function" && loss.needs.margins ? loss.name : null,
      tokenizer: model.tokenizer,
      seed: training.seed,
      located: files.located,
    });
    const evaluation = heldOut?.examples ?? [];
    const hasReference = typeof loss === "function" || loss.needs.reference;
    const referencePath = hasReference ? files.reference : null;
    if (referencePath !== null) (await openReference(referencePath, model.config)).close();
    const mismatch: MismatchOptions = {
      maxLength: data.maxLength,
      ...(data.maxPromptLength === null ? {} : { maxPromptLength: data.maxPromptLength }),
      truncate: data.truncate,
      bosId: model.tokenizer.bosId,
    };
    const plan = planBatches(records.examples, {
      ...training,
      mismatch,
      shuffle: data.shuffle,
      mixture: records.mixture,
      evaluation,
      mismatched: typeof loss !== "function" && loss.needs.mismatched,
    });
    const host = needsHost(loss, training.accumulate);
    const parameters = modelParameters(model.config);
    const run = {
      totalSteps: training.steps,
      stepsPerEpoch: Math.max(
        1,
        Math.floor(
          epochLength({ count: records.examples.length, mixture: records.mixture }) /
            (training.batchSize * training.accumulate),
        ),
      ),
      measuredAfter: MEASURED_AFTER,
    };
    const lora = config.model.lora == null ? null : await planLora(config.model.lora, {
      parameters,
      alphas: hasReference ? updateAlphas(strategy, run) : [],
    });
    const engine = await createEngine(device, {
      accumulate: training.accumulate,
      config: model.config,
      ...(lora === null ? {} : { lora: lora.options }),
      loss: host ? null : loss as CompiledLoss,
      seeded: host,
      logWeights: typeof loss !== "function" && loss.needs.logWeights,
      tailWeight: typeof loss === "function" ? 1 : loss.tailWeight,
      sequencesPerRecord,
      reference: !hasReference
        ? "none"
        : strategy.bias
        ? "averaged"
        : (config.reference?.update ?? "frozen") === "frozen"
        ? "frozen"
        : "moving",
      ...(isRounded(config.reference) ? { referenceDtype: "bfloat16" } : {}),
      optimizer: {
        betas: training.adamBetas,
        epsilon: training.adamEpsilon,
        weightDecay: training.weightDecay,
        maxGradNorm: training.maxGradNorm,
      },
      ...plan,
      maxLength: Math.max(data.maxLength, longestSequence(records.examples), longestSequence(evaluation)),
      checkpointing: training.checkpointing ?? "auto",
      ...(training.memoryLimit === null ? {} : { memoryLimit: training.memoryLimit }),
    });
    return {
      config,
      files,
      model,
      parameters,
      lora,
      loss,
      sequencesPerRecord,
      hasReference,
      strategy,
      referenceForecast: hasReference ? describeUpdates(strategy, run) : "",
      warnings: [
        ...records.notes,
        ...(heldOut?.notes ?? []),
        ...(hasReference ? referenceWarnings(strategy, run) : []),
        ...(lora === null ? [] : loraWarnings(lora)),
      ],
      records,
      heldOut,
      mismatch,
      plan,
      engine,
    };
  } catch (error) {
    model.directory.close();
    throw error;
  }
}

/** The share of a reference that may be lost without a word: less than float32 tells from none over a run. */
const UNNOTICED_LOSS = 1e-6;

function loraWarnings({ lost, options: { snapshots } }: LoraPlan): string[] {
  if (lost <= UNNOTICED_LOSS) return [];
  return [
    `with model.lora.snapshots ${snapshots}, ${
      (lost * 100).toPrecision(2)
    } % of the reference will stand for snapshots that were given up; leave it out to keep the reference exact`,
  ];
}

function recordsFor(loss: TrainingLoss, config: RunConfig): RunRecords {
  if (typeof loss === "function") return "pairs";
  if (config.loss === undefined) return "demonstrations";
  return loss.kind === "paired" ? "pairs" : "labelled completions";
}

/**
 * Loads the weights: the policy's, and the reference's from its own directory or as a copy.
 *
 * @throws If the reference's directory doesn't hold the same architecture.
 */
export async function loadWeights(run: PreparedRun): Promise<void> {
  const { engine, model, parameters, config, lora, files } = run;
  const upload = (set: "base" | "policy" | "reference", directory: ModelDirectory) =>
    uploadDirectory(engine.device, engine.sets[set]!, { directory, parameters });
  if (lora === null) await upload("policy", model.directory);
  else {
    await upload("base", model.directory);
    const { layout } = lora.options;
    const { path } = config.model.lora!;
    await loadAdapter(engine.device, engine.sets.policy, {
      path,
      layout,
      parameters,
      seed: config.training.seed,
    });
  }
  if (!run.hasReference) return;
  if (files.reference === null) {
    // A copy on the device would not round.
    return isRounded(config.reference)
      ? upload("reference", model.directory)
      : engine.copyPolicyToReference();
  }
  using directory = await openReference(files.reference, model.config);
  await upload("reference", directory);
  engine.copyReferenceToInitial();
}

/** What of a config says nothing of what the model computes, and may differ between policy and reference. */
const MAY_DIFFER: readonly (keyof ModelConfig)[] = ["maxPositions", "bosTokenId", "eosTokenIds"];

/**
 * Opens a model that a policy is compared with.
 *
 * @param policy The policy's architecture.
 * @param options.key The key that names it, for messages.
 * @throws If it isn't of the same architecture, or lacks tensors.
 */
export async function openReference(
  path: string,
  policy: ModelConfig,
  { key = "reference.path" }: { key?: string } = {},
): Promise<ModelDirectory> {
  const opened = await openModelDirectory(path);
  try {
    const name = `${key} ${path}`;
    const config = parseModelConfig(opened.config, { name: `${path}/config.json` });
    const directory = withFullNames(opened, config);
    for (const feature of Object.keys(policy) as (keyof ModelConfig)[]) {
      const [own, wanted] = [JSON.stringify(config[feature]), JSON.stringify(policy[feature])];
      if (own === wanted || MAY_DIFFER.includes(feature)) continue;
      throw new Error(
        `${name}: ${
          snakeCase(feature)
        } is ${own}, the policy's is ${wanted}; give a model of the same architecture`,
      );
    }
    checkTensors(config, directory.tensors, { name });
    return directory;
  } catch (error) {
    opened.close();
    throw error;
  }
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
