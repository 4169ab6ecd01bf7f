/**
 * The keys of `evaluate`. Sections that are left out measure nothing.
 *
 * @module
 */
import * as v from "valibot";
import { type CamelKeys, toCamelKeys } from "./case.ts";
import { derivedKey, key, number, orNull, sources, switchedOn, text, wholeNumber } from "./keys.ts";
import { batchSize, memoryLimit, samplingEntries, seed, tokenEntries } from "./sections.ts";

const atLeastOne = wholeNumber({ min: 1 });
const MODEL = "a directory in Hugging Face layout or its id on the hub";

const modelSection = v.object({
  path: key(
    `The model to evaluate: ${MODEL}; or the directory of a training run, whose model it is and which says what it began from.`,
    text("a path"),
  ),
  adapter: key(
    "Directory of a LoRA adapter in PEFT's layout that is merged into the model; null for none.",
    orNull(text("a path")),
    null,
  ),
});

const initialSection = v.object({
  path: key(
    `The model before training, of the same architecture, to measure rewards and KL against: ${MODEL}.`,
    text("a path"),
  ),
});

const referenceSection = v.object({
  path: key(
    `Another model of the same architecture to measure rewards and KL against: ${MODEL}.`,
    text("a path"),
  ),
});

const opponentSection = v.object({
  path: key(
    `A model whose answers are compared with: ${MODEL}; null where answers are given.`,
    orNull(text("a path")),
    null,
  ),
  adapter: key(
    "Directory of a LoRA adapter that is merged into the opponent; null for none.",
    orNull(text("a path")),
    null,
  ),
  answers: key(
    "Answers to compare with, as JSON lines with a `completion` for each line of data.prompts; null where a model is given.",
    orNull(text("a path")),
    null,
  ),
});

const dataSection = v.object({
  records: key(
    "Held-out records (pairs, completions or texts) for rewards, KL and perplexity: files, directories or data sets on the hub; " +
      "null measures nothing on given completions.",
    orNull(sources({ weights: false })),
    null,
  ),
  records_limit: key(
    "How many of the records are used, from the first; null uses all.",
    orNull(atLeastOne),
    null,
  ),
  prompts: key(
    "Prompts to answer, as JSON lines with a `prompt` each; or `records` for the prompts of data.records; null answers none.",
    orNull(text("a path")),
    null,
  ),
  prompts_limit: key(
    "How many of the prompts are answered, from the first; null answers all.",
    orNull(atLeastOne),
    null,
  ),
  ...tokenEntries,
});

/** How answers are drawn; at temperature 1 and from all tokens, KL along them is that of the policy. */
const evaluatedGenerationSection = v.object({
  ...samplingEntries,
  max_tokens: key("The longest answer in tokens.", atLeastOne, 128),
  samples: key("Answers to each prompt.", atLeastOne, 1),
});

/** The same where nothing is said of it. */
export const DEFAULT_GENERATION: CamelKeys<v.InferOutput<typeof evaluatedGenerationSection>> = toCamelKeys(
  v.parse(evaluatedGenerationSection, {}),
);

const goldSection = v.object({
  module: key(
    "Path of a TypeScript or JavaScript module that exports a function (prompt, completion) => number.",
    text("a path"),
  ),
  export: key("The name that the function is exported under.", text("a name"), "score"),
});

const rewardModelSection = v.object({
  path: key(
    "A reward model: directory in Hugging Face layout, …ForSequenceClassification with one label.",
    text("a path"),
  ),
  eos: key(
    "Whether the reward model's EOS is put after every answer before it is scored.",
    switchedOn(),
    false,
  ),
  tie: key("The largest difference of two rewards that counts as a tie.", number({ min: 0 }), 0),
});

const judgeSection = v.object({
  model: key("The judge's name at its endpoint.", text("a name")),
  endpoint: derivedKey(
    "Address of an OpenAI-compatible endpoint, before /chat/completions.",
    text("an address"),
    "OPENAI_BASE_URL from the environment, or https://api.openai.com/v1",
  ),
  key_env: key(
    "The environment variable that holds the endpoint's key; where it isn't set, none is sent.",
    text("a name"),
    "OPENAI_API_KEY",
  ),
  prompt: key(
    "File with the judge's prompt, in which {{prompt}}, {{answer_a}} and {{answer_b}} stand for what is compared; null takes " +
      "evaluation/judge/default_prompt.txt.",
    orNull(text("a path")),
    null,
  ),
  max_tokens: key(
    "The judge's longest reply in tokens; null leaves it to the endpoint.",
    orNull(atLeastOne),
    512,
  ),
  concurrency: key("Requests that are under way at a time.", atLeastOne, 4),
  requests_per_minute: key(
    "Requests that may begin in a minute; null for no limit.",
    orNull(number({ above: 0 })),
    null,
  ),
  timeout: key("Seconds that one reply may take.", number({ above: 0 }), 120),
  replies: derivedKey(
    "File that keeps every reply, so that nothing is asked twice; it is added to if it is there.",
    text("a path"),
    "output.file with .judge.jsonl in place of .json",
  ),
});

const bootstrapSection = v.object({
  confidence: key("Share that the intervals cover.", number({ above: 0, below: 1 }), 0.95),
  resamples: key("How many times records are drawn anew for an interval.", atLeastOne, 10_000),
  seed: key("Seed of the resampling.", seed, 0),
});

const outputSection = v.object({
  file: key("JSON file to write.", text("a path")),
  answers: key(
    "File for the answers and their scores, as JSON lines; null writes none.",
    orNull(text("a path")),
    null,
  ),
});

/** Checks a configuration of `evaluate`. */
export const evaluateSchema = v.object({
  model: modelSection,
  initial: v.nullish(initialSection),
  reference: v.nullish(referenceSection),
  opponent: v.nullish(opponentSection),
  data: dataSection,
  beta: key(
    "What log-ratios are multiplied by to give rewards; the loss's β, or 1 for nats.",
    number({ above: 0 }),
    1,
  ),
  generation: v.nullish(evaluatedGenerationSection),
  gold: v.nullish(goldSection),
  reward_model: v.nullish(rewardModelSection),
  judge: v.nullish(judgeSection),
  bootstrap: bootstrapSection,
  batch_size: batchSize,
  memory_limit: memoryLimit,
  output: outputSection,
});
