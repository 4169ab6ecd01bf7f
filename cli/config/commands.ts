/**
 * What each command can be told: its sections, and the keys that belong elsewhere.
 *
 * @module
 */
import * as v from "valibot";
import type { CamelKeys } from "./case.ts";
import { evaluateSchema } from "./evaluate_keys.ts";
import { lossSection } from "./loss_keys.ts";
import { referenceSection } from "./reference_keys.ts";
import {
  answersOutputSection,
  batchSize,
  exportOutputSection,
  fileOutputSection,
  generationSection,
  inspectOutputSection,
  memoryLimit,
  modelSection,
  promptDataSection,
  promptText,
  readModelSection,
  runOutputSection,
  samplingSection,
  scoreDataSection,
  sftTrainingSection,
  shownRecords,
  templateDataSection,
  trainDataSection,
  trainingSection,
  tunedBatchEntries,
  tunedModelSection,
} from "./sections.ts";

const trainSchema = v.object({
  model: modelSection,
  data: trainDataSection,
  loss: lossSection,
  reference: referenceSection,
  training: trainingSection,
  output: runOutputSection,
  generation: samplingSection,
});

const sftSchema = v.object({
  model: modelSection,
  data: trainDataSection,
  training: sftTrainingSection,
  output: runOutputSection,
  generation: samplingSection,
});

// The keys of both commands that train, so that a run's file serves as it is.
const inspectSchema = v.object({
  model: modelSection,
  data: trainDataSection,
  loss: lossSection,
  reference: referenceSection,
  training: trainingSection,
  output: inspectOutputSection,
  generation: samplingSection,
  show: shownRecords,
});

const scoreSchema = v.object({
  model: readModelSection,
  data: scoreDataSection,
  batch_size: batchSize,
  memory_limit: memoryLimit,
  output: fileOutputSection,
});

const generateSchema = v.object({
  model: readModelSection,
  prompt: promptText,
  data: promptDataSection,
  generation: generationSection,
  output: answersOutputSection,
});

const exportSchema = v.object({
  model: readModelSection,
  data: templateDataSection,
  output: exportOutputSection,
});

const tuneSchema = v.object({ model: tunedModelSection, ...tunedBatchEntries });

/** The configuration of `train`, every default filled in. */
export type TrainConfig = CamelKeys<v.InferOutput<typeof trainSchema>>;
/** The configuration of `sft`, every default filled in. */
export type SftConfig = CamelKeys<v.InferOutput<typeof sftSchema>>;
/** The configuration of `inspect`, every default filled in. */
export type InspectConfig = CamelKeys<v.InferOutput<typeof inspectSchema>>;
/** The configuration of `score`, every default filled in. */
export type ScoreConfig = CamelKeys<v.InferOutput<typeof scoreSchema>>;
/** The configuration of `generate`, every default filled in. */
export type GenerateConfig = CamelKeys<v.InferOutput<typeof generateSchema>>;

/** The configuration of `evaluate`, every default filled in. */
export type EvaluateConfig = CamelKeys<v.InferOutput<typeof evaluateSchema>>;

/** The configuration of `export`, every default filled in. */
export type ExportConfig = CamelKeys<v.InferOutput<typeof exportSchema>>;
/** The configuration of `tune`, every default filled in. */
export type TuneConfig = CamelKeys<v.InferOutput<typeof tuneSchema>>;

/** One loss of a run with its weight; a run minimizes the weighted sum of its terms. */
export type LossTerm = TrainConfig["loss"][number];
/** What the policy is compared with, and how that moves. */
export type ReferenceConfig = TrainConfig["reference"];

/** The configuration of each command. */
export interface CommandConfigs {
  /** Of preference training. */
  train: TrainConfig;
  /** Of supervised fine-tuning. */
  sft: SftConfig;
  /** Of looking at records. */
  inspect: InspectConfig;
  /** Of scoring records. */
  score: ScoreConfig;
  /** Of answering prompts. */
  generate: GenerateConfig;
  /** Of measuring what a policy is worth. */
  evaluate: EvaluateConfig;
  /** Of writing a model for llama.cpp. */
  export: ExportConfig;
  /** Of measuring kernels. */
  tune: TuneConfig;
}

/** The name of a command that takes a configuration. */
export type Command = keyof CommandConfigs;

/** What a command can be told. */
export interface CommandKeys {
  /** Checks a configuration with snake_case keys and fills in defaults. */
  schema: v.GenericSchema;
  /** Keys that one may expect to find here, and what to do instead. */
  elsewhere: Readonly<Record<string, string>>;
}

const REVISIONS = {
  "model.revision": "write it into model.path: owner/name@revision",
  "data.revision": "write it after the data set's name: hf://datasets/owner/name@revision/file.jsonl",
};

const CHECKPOINTING = {
  "training.gradient_checkpointing": "it is training.checkpointing here: none, block, or auto, the default",
};

const NO_BACKWARD = "has no backward pass to keep activations for; train and sft do";

const SAMPLE_LENGTH = "output.sample_tokens sets the length of a run's samples";

/** The keys of every command. */
export const COMMANDS: Readonly<Record<Command, CommandKeys>> = {
  train: {
    schema: trainSchema,
    elsewhere: {
      ...REVISIONS,
      ...CHECKPOINTING,
      "reference.revision": "write it into reference.path: owner/name@revision",
      "generation.max_tokens": SAMPLE_LENGTH,
    },
  },
  sft: {
    schema: sftSchema,
    elsewhere: {
      ...REVISIONS,
      ...CHECKPOINTING,
      loss: "sft has one loss, the cross-entropy of the completion; other losses are for train",
      reference: "sft compares with no reference; train does",
      "training.initial_every": "sft has no rewards to measure; train does",
      "generation.max_tokens": SAMPLE_LENGTH,
    },
  },
  inspect: {
    schema: inspectSchema,
    elsewhere: {
      ...CHECKPOINTING,
      "data.records": "inspect reads data.train, as train does",
      "output.file": "inspect writes to standard output",
      "generation.max_tokens": SAMPLE_LENGTH,
    },
  },
  score: {
    schema: scoreSchema,
    elsewhere: {
      ...REVISIONS,
      "data.train": "score reads data.records",
      "output.directory": "score writes one file, output.file",
      "training.batch_size": "score has batch_size without a section",
      "training.memory_limit": "score has memory_limit without a section",
      "training.checkpointing": `score ${NO_BACKWARD}`,
      "model.dtype": "score writes no model",
    },
  },
  generate: {
    schema: generateSchema,
    elsewhere: {
      ...REVISIONS,
      "training.checkpointing": `generate ${NO_BACKWARD}`,
      "data.prompt": "generate has prompt without a section",
      "output.directory": "generate writes one file, output.file",
      "output.sample_tokens": "generate has generation.max_tokens",
      "model.dtype": "generate writes no model",
    },
  },
  evaluate: {
    schema: evaluateSchema,
    elsewhere: {
      ...REVISIONS,
      "data.eval": "evaluate reads data.records",
      "data.train": "evaluate reads data.records",
      "output.directory": "evaluate writes one file, output.file",
      "loss.beta": "evaluate has beta without a section",
      "training.batch_size": "evaluate has batch_size without a section",
      "training.memory_limit": "evaluate has memory_limit without a section",
      "judge.key":
        "a key in a file is soon published; put it into the environment, and the variable's name into judge.key_env",
      "model.dtype": "evaluate writes no model",
    },
  },
  export: {
    schema: exportSchema,
    elsewhere: {
      "model.dtype": "export has output.type",
      "output.dtype": "export has output.type",
      type: "export has output.type",
      "output.directory": "export writes one file, output.file",
    },
  },
  tune: {
    schema: tuneSchema,
    elsewhere: {
      ...REVISIONS,
      "training.batch_size": "tune has rows: the tokens of a batch",
      "output.file": "tune writes to the user's cache",
    },
  },
};
