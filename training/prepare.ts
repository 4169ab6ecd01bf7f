/** Everything that is decided before a run's first step: data, batches, loss, strategy, memory. */
import { type CompiledLoss, compileLoss } from "../losses/compile.ts";
import type { PreferenceLossFunction } from "../losses/batch.ts";
import type { MismatchOptions } from "../data/mismatch.ts";
import type { Device } from "../kernels/device.ts";
import { type ModelDirectory, openModelDirectory } from "../models/files/directory.ts";
import { type LlamaConfig, parseLlamaConfig } from "../models/files/llama_config.ts";
import { checkTensors, llamaTensors } from "../models/files/llama_tensors.ts";
import { type FusedParameter, llamaParameters } from "../models/llama.ts";
import { uploadDirectory } from "../models/weights.ts";
import { countUpdates, referenceWarnings } from "../reference/forecast.ts";
import type { ReferenceStrategy } from "../reference/strategy.ts";
import { lossOf, type RunConfig, strategyOf } from "./config.ts";
import { createEngine, type Engine } from "./engine.ts";
import { type LoadedModel, type LoadedRecords, loadModel, loadRecords, type RunRecords } from "./load.ts";
import { needsHost } from "./step.ts";
import type { TrainingLoss } from "./metrics.ts";
import { type BatchPlan, longestSequence, planBatches } from "./plan.ts";
import { resolveSources, type RunFiles } from "./sources.ts";

/** A run that is ready to start. */
export interface PreparedRun {
  /** The settings. */
  readonly config: RunConfig;
  /** Where the files are that the settings name. */
  readonly files: RunFiles;
  /** The model's files, closed by {@linkcode runTraining} or by the caller. */
  readonly model: LoadedModel;
  /** Its parameters. */
  readonly parameters: readonly FusedParameter[];
  /** What is minimized. */
  readonly loss: TrainingLoss;
  /** Completions in a record. */
  readonly sequencesPerRecord: 1 | 2;
  /** Whether the loss compares with a reference. */
  readonly hasReference: boolean;
  /** When the reference moves. */
  readonly strategy: ReferenceStrategy;
  /** How often it will. */
  readonly referenceUpdates: number;
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
  /** Where the files are, if that has been found out with `resolveSources`; else it is now. */
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
    ? await resolveSources(given)
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
    const reading = { wanted: kind, tokenizer: model.tokenizer, data };
    const records = await loadRecords(files.train, reading);
    const all = files.eval === null ? null : await loadRecords(files.eval, reading);
    const heldOut = all === null || data.evalRecords === null ? all : limitRecords(all, data.evalRecords);
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
      evaluation,
      mismatched: typeof loss !== "function" && loss.needs.mismatched,
    });
    const host = needsHost(loss, training.accumulate);
    const engine = await createEngine(device, {
      config: model.config,
      loss: host ? null : loss as CompiledLoss,
      seeded: host,
      sequencesPerRecord,
      reference: !hasReference
        ? "none"
        : (config.reference?.update ?? "frozen") === "frozen"
        ? "frozen"
        : "moving",
      optimizer: {
        betas: training.adamBetas,
        epsilon: training.adamEpsilon,
        weightDecay: training.weightDecay,
        maxGradNorm: training.maxGradNorm,
      },
      ...plan,
      maxLength: Math.max(data.maxLength, longestSequence([...records.examples, ...evaluation])),
      ...(training.memoryLimit === null ? {} : { memoryLimit: training.memoryLimit }),
    });
    const run = { totalSteps: training.steps };
    return {
      config,
      files,
      model,
      parameters: llamaParameters(model.config),
      loss,
      sequencesPerRecord,
      hasReference,
      strategy,
      referenceUpdates: hasReference ? countUpdates(strategy, run) : 0,
      warnings: hasReference ? referenceWarnings(strategy, run) : [],
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

function recordsFor(loss: TrainingLoss, config: RunConfig): RunRecords {
  if (typeof loss === "function") return "pairs";
  if (config.loss === undefined) return "demonstrations";
  return loss.kind === "paired" ? "pairs" : "labelled completions";
}

function limitRecords(records: LoadedRecords, count: number): LoadedRecords {
  return {
    ...records,
    examples: records.examples.slice(0, count),
    tokenized: records.tokenized.slice(0, count),
  };
}

/**
 * Loads the weights: the policy's, and the reference's from its own directory or as a copy.
 *
 * @throws If the reference's directory doesn't hold the same architecture.
 */
export async function loadWeights(run: PreparedRun): Promise<void> {
  const { engine, model, parameters, files } = run;
  const upload = (set: "policy" | "reference", directory: ModelDirectory) =>
    uploadDirectory(engine.device, engine.sets[set]!, { directory, parameters });
  await upload("policy", model.directory);
  if (!run.hasReference) return;
  if (files.reference === null) return engine.copyPolicyToReference();
  using directory = await openReference(files.reference, model.config);
  await upload("reference", directory);
  engine.copyReferenceToInitial();
}

/** What the reference's config must share with the policy's: everything that changes what a model computes. */
const SAME_AS_POLICY = {
  vocabularySize: "vocab_size",
  hiddenSize: "hidden_size",
  intermediateSize: "intermediate_size",
  layers: "num_hidden_layers",
  heads: "num_attention_heads",
  keyValueHeads: "num_key_value_heads",
  headSize: "head_dim",
  rmsNormEpsilon: "rms_norm_eps",
  ropeTheta: "rope_theta",
  ropeScaling: "rope_scaling",
  tieWordEmbeddings: "tie_word_embeddings",
} as const satisfies Partial<Record<keyof LlamaConfig, string>>;

async function openReference(path: string, policy: LlamaConfig): Promise<ModelDirectory> {
  const directory = await openModelDirectory(path);
  try {
    const name = `reference.path ${path}`;
    const config = parseLlamaConfig(directory.config, { name: `${path}/config.json` });
    for (const [key, jsonKey] of Object.entries(SAME_AS_POLICY) as [keyof typeof SAME_AS_POLICY, string][]) {
      const [own, wanted] = [JSON.stringify(config[key]), JSON.stringify(policy[key])];
      if (own !== wanted) {
        throw new Error(
          `${name}: ${jsonKey} is ${own}, the policy's is ${wanted}; give a model of the same architecture`,
        );
      }
    }
    checkTensors(llamaTensors(config), directory.tensors, { name });
    return directory;
  } catch (error) {
    directory.close();
    throw error;
  }
}
