/**
 * The sections that do not depend on the loss: model, data, training, output, generation.
 *
 * @module
 */
import * as v from "valibot";
import { loraSection } from "./lora_keys.ts";
import {
  choice,
  derivedKey,
  heldOut,
  key,
  number,
  orNull,
  pair,
  sources,
  switchedOn,
  text,
  wholeNumber,
} from "./keys.ts";

const DEFAULT_WARMUP = 50;
const DEFAULT_WARMUP_SHARE = 0.1;

const atLeastOne = wholeNumber({ min: 1 });
/** A seed. */
export const seed = wholeNumber({ min: 0, max: 2 ** 32 - 1 });

const modelPath = key(
  "Directory of the model in Hugging Face layout: config.json, tokenizer.json and safetensors; or its id on the hub, " +
    "owner/name or owner/name@revision.",
  text("a path"),
);

/** The model that a command only reads. */
export const readModelSection = v.object({
  path: modelPath,
  adapter: key(
    "Directory of a LoRA adapter in PEFT's layout that is merged into the model; null for none.",
    orNull(text("a path")),
    null,
  ),
});

/** The model that training starts from, and how it is written afterwards. */
export const modelSection = v.object({
  path: modelPath,
  lora: v.nullish(loraSection),
  dtype: key(
    "Storage of the written model's weights; training itself is in float32.",
    choice(["float32", "bfloat16", "float16"]),
    "float32",
  ),
});

const templatePath = key(
  "Path of a Jinja chat template that replaces the tokenizer's own; null keeps that.",
  orNull(text("a path")),
  null,
);

/** How records become tokens. */
export const tokenEntries = {
  max_length: key("The longest record, prompt and completion together, in tokens.", atLeastOne, 512),
  max_prompt_length: key(
    "The longest prompt in tokens; null leaves it to max_length.",
    orNull(atLeastOne),
    null,
  ),
  truncate: key(
    "Which end of a prompt that is too long is kept.",
    choice(["keep_end", "keep_start"]),
    "keep_end",
  ),
  template: templatePath,
  invalid: key(
    "Whether a record that cannot be used stops the command (error) or is left out and counted (skip).",
    choice(["error", "skip"]),
    "error",
  ),
  dataset_info: key(
    "Path of LLaMA-Factory's dataset_info.json, whose names then stand for sources; null where there is none.",
    orNull(text("a path")),
    null,
  ),
  cache: key(
    "Directory for tokenized records; auto takes the user's cache for large files, null keeps them in memory.",
    orNull(text("a path")),
    "auto",
  ),
};

/** The records to train on. */
export const trainDataSection = v.object({
  train: key(
    "Records to train on: files (JSON or parquet), directories, names in dataset_info, or data sets on the hub (owner/name, or " +
      "one file as in hf://datasets/owner/name@revision/train.jsonl); one or a list.",
    sources({ weights: true }),
  ),
  eval: key(
    "Held-out records to evaluate on, or the share of the training records to hold out; null evaluates nothing.",
    orNull(heldOut()),
    null,
  ),
  eval_records: key(
    "How many of the held-out records are used, from the first; null uses all.",
    orNull(atLeastOne),
    null,
  ),
  ...tokenEntries,
  shuffle: key("Whether every pass over the records takes them in a new order.", switchedOn(), true),
});

/** The records to score. */
export const scoreDataSection = v.object({
  records: key(
    "Records to score: files (JSON or parquet), directories, names in dataset_info, or data sets on the hub; one or a list.",
    sources({ weights: false }),
  ),
  ...tokenEntries,
});

/** The prompts to answer. */
export const promptDataSection = v.object({
  prompts: key(
    "Prompts to answer, as JSON lines with a `prompt` each; null where --prompt is given.",
    orNull(text("a path")),
    null,
  ),
  template: templatePath,
});

/** What replaces the chat template of an exported model. */
export const templateDataSection = v.object({ template: templatePath });

/** Records in one micro-batch. */
export const batchSize = key("Records in one micro-batch (pairs, where records are pairs).", atLeastOne, 8);

/** What the run may allocate on the device. */
export const memoryLimit = key(
  "The most bytes to allocate on the device; null leaves it to the device.",
  orNull(atLeastOne),
  null,
);

function optimizerEntries(learningRate: number) {
  return {
    steps: key("Optimizer steps to take.", atLeastOne, 500),
    batch_size: batchSize,
    accumulate: key("Micro-batches whose gradients one optimizer step adds up.", atLeastOne, 1),
    learning_rate: key("The highest learning rate of the schedule.", number({ above: 0 }), learningRate),
    schedule: key(
      "How the learning rate falls after the warm-up.",
      choice(["cosine", "linear", "constant"]),
      "cosine",
    ),
    warmup: derivedKey(
      "Steps over which the learning rate rises from zero.",
      wholeNumber({ min: 0 }),
      `${DEFAULT_WARMUP}, or a tenth of the steps where that is less`,
    ),
    weight_decay: key(
      "Decoupled weight decay, on tensors of two or more dimensions.",
      number({ min: 0 }),
      0,
    ),
    adam_betas: key("Adam's decay rates of the two moments.", pair({ min: 0, below: 1 }), [0.9, 0.999]),
    adam_epsilon: key("Adam's term against division by zero.", number({ above: 0 }), 1e-8),
    max_grad_norm: key(
      "The norm that gradients are clipped to; null clips nothing.",
      orNull(number({ above: 0 })),
      2,
    ),
    seed: key("Seed of everything random in the run.", seed, 0),
    checkpointing: key(
      "Which activations the backward pass computes again instead of keeping them, which takes time and changes no number: " +
        "none, all within each block, or (auto) those of blocks where the run would exceed memory_limit.",
      choice(["auto", "none", "block"]),
      "auto",
    ),
    memory_limit: memoryLimit,
  };
}

function withWarmup<T extends { steps: number; warmup?: number | undefined }>(
  training: T,
): Omit<T, "warmup"> & { warmup: number } {
  const share = Math.floor(training.steps * DEFAULT_WARMUP_SHARE);
  // Taken out first, so that the key has one place among the others, given or not.
  const { warmup = Math.min(DEFAULT_WARMUP, share), ...others } = training;
  return { ...others, warmup };
}

/** How preference training runs. */
export const trainingSection = v.pipe(
  v.object({
    ...optimizerEntries(1e-6),
    initial_every: key(
      "Steps between two measurements of the rewards against the initial reference; 0 never measures them.",
      wholeNumber({ min: 0 }),
      1,
    ),
  }),
  v.transform(withWarmup),
);

/** How supervised fine-tuning runs. */
export const sftTrainingSection = v.pipe(v.object(optimizerEntries(1e-5)), v.transform(withWarmup));

/** What a training run writes, and how often. */
export const runOutputSection = v.object({
  directory: key("Directory that the run writes to.", text("a path")),
  save_every: key(
    "Steps between two checkpoints; 0 writes one at the end only.",
    wholeNumber({ min: 0 }),
    100,
  ),
  eval_every: key("Steps between two evaluations; 0 evaluates at the end only.", wholeNumber({ min: 0 }), 50),
  log_every: key("Steps between two lines of metrics.", atLeastOne, 1),
  keep_checkpoints: key("How many checkpoints are kept, the newest.", atLeastOne, 2),
  samples: key(
    "Prompts that are answered before and after training, for the report.",
    wholeNumber({ min: 0 }),
    3,
  ),
  sample_tokens: key("The longest such answer in tokens.", atLeastOne, 64),
});

/** The same where nothing is written. */
export const inspectOutputSection = v.object({
  ...runOutputSection.entries,
  directory: key("Directory that a run would write to; not used.", orNull(text("a path")), null),
});

/** How many records are shown. */
export const shownRecords = key("Records to show of each file, spread over it.", wholeNumber({ min: 0 }), 2);

/** Where a command writes its one file. */
export const fileOutputSection = v.object({
  file: key("File to write, as JSON lines; null writes to standard output.", orNull(text("a path")), null),
});

/** Where answers go, and in which form. */
export const answersOutputSection = v.object({
  file: key("File to write; null writes to standard output.", orNull(text("a path")), null),
  format: key(
    "JSON lines with prompt and completion, AlpacaEval's array of outputs, or Arena-Hard's lines of answers.",
    choice(["jsonl", "alpaca_eval", "arena_hard"]),
    "jsonl",
  ),
  name: key(
    "What AlpacaEval or Arena-Hard call the model; null takes the name of its directory.",
    orNull(text("text")),
    null,
  ),
});

/** The model whose products are measured. */
export const tunedModelSection = v.object({
  path: key(
    "Directory of the model whose products are measured, or its id on the hub; null takes a table of common sizes.",
    orNull(text("a path")),
    null,
  ),
});

/** The batch whose products are measured. */
export const tunedBatchEntries = {
  rows: key(
    "Rows of a batch of that model, as the pre-flight of a run prints them; null takes 1024.",
    orNull(atLeastOne),
    null,
  ),
  completion_tokens: key(
    "Completion tokens among the rows, as the pre-flight prints them; null takes all rows.",
    orNull(atLeastOne),
    null,
  ),
  dtype: key(
    "Storage of that model's weights on the device: bfloat16 for a base or reference that is held so.",
    choice(["float32", "bfloat16"]),
    "float32",
  ),
};

/** The one file that an export writes. */
export const exportOutputSection = v.object({
  file: key("GGUF file to write.", text("a path")),
  type: key(
    "Storage of the matrices in the file; vectors stay float32.",
    choice(["f32", "f16", "bf16", "q8_0"]),
    "f16",
  ),
  name: key(
    "What the file calls the model; null takes the name of its directory.",
    orNull(text("text")),
    null,
  ),
});

/** How tokens are drawn. */
export const samplingEntries = {
  temperature: key(
    "What logits are divided by before sampling; 0 always takes the likeliest token.",
    number({ min: 0 }),
    1,
  ),
  top_k: key(
    "Only the k likeliest tokens are sampled from; null samples from all.",
    orNull(atLeastOne),
    null,
  ),
  top_p: key(
    "Only the likeliest tokens that reach this probability together are sampled from; null samples from all.",
    orNull(number({ above: 0, max: 1 })),
    null,
  ),
  seed: key("Seed of the sampling.", seed, 0),
};

/** How the samples of a training run are drawn. */
export const samplingSection = v.object(samplingEntries);

/** How answers are drawn. */
export const generationSection = v.object({
  ...samplingEntries,
  max_tokens: key("The longest answer in tokens.", atLeastOne, 128),
});

/** A single prompt. */
export const promptText = key(
  "One prompt to answer, in place of a file of prompts.",
  orNull(text("text")),
  null,
);
