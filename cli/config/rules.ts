/**
 * What several keys together rule out, and what they make unlikely to work.
 *
 * @module
 */
import type { GenerateConfig, LossTerm, SftConfig, TrainConfig } from "./commands.ts";
import { referenceRules } from "./reference_rules.ts";

/** A condition on several keys: `check` sees only configurations in which the keys it `reads` are valid. */
export interface Rule<C> {
  /** The keys, in snake_case, that the rule reads. */
  reads: readonly string[];
  /** The key that its message is about. */
  about: string;
  /** What is wrong, or undefined. */
  check: (config: C) => string | undefined;
}

const runRules: Rule<TrainConfig | SftConfig>[] = [
  {
    reads: ["training.warmup", "training.steps"],
    about: "training.warmup",
    check: ({ training: { warmup, steps } }) =>
      warmup > steps ? `${warmup} is more than training.steps, ${steps}` : undefined,
  },
  {
    reads: ["data.eval", "data.eval_records"],
    about: "data.eval_records",
    check: ({ data: { eval: path, evalRecords } }) =>
      evalRecords !== null && path === null ? "would be ignored without data.eval" : undefined,
  },
];

const promptLengthRule: Rule<{ data: { maxPromptLength: number | null; maxLength: number } }> = {
  reads: ["data.max_prompt_length", "data.max_length"],
  about: "data.max_prompt_length",
  check: ({ data: { maxPromptLength, maxLength } }) =>
    maxPromptLength !== null && maxPromptLength >= maxLength
      ? `${maxPromptLength} leaves no room for a completion within data.max_length, ${maxLength}`
      : undefined,
};

const greedyRule: Rule<{ generation: { temperature: number; topK: number | null; topP: number | null } }> = {
  reads: ["generation.temperature", "generation.top_k", "generation.top_p"],
  about: "generation.temperature",
  check: ({ generation: { temperature, topK, topP } }) =>
    temperature === 0 && (topK !== null || topP !== null)
      ? "0 takes the likeliest token and would ignore generation.top_k and generation.top_p; leave those out"
      : undefined,
};

const lossRules: Rule<TrainConfig>[] = [
  {
    reads: ["loss", "training.batch_size", "training.accumulate"],
    about: "training.batch_size",
    check: ({ loss, training }) =>
      hasLoss(loss, "kto") && training.batchSize * training.accumulate === 1
        ? "1 is too small for kto, whose KL term needs a prompt with another record's completion; take at least 2"
        : undefined,
  },
  {
    reads: ["loss"],
    about: "loss",
    check: ({ loss }) =>
      loss.every((term) => term.type === "sft")
        ? "sft alone would ignore the reference; run the sft command, or list it beside another loss"
        : undefined,
  },
  {
    reads: ["loss", "reference.update"],
    about: "reference.update",
    check: ({ loss, reference: { update } }) =>
      update !== "frozen" && comparesWithNone(loss)
        ? `${update} would be ignored by ${typesOf(loss)}, which compares with no reference; set it to frozen`
        : undefined,
  },
  {
    reads: ["loss", "reference.path"],
    about: "reference.path",
    check: ({ loss, reference: { path } }) =>
      path !== null && comparesWithNone(loss)
        ? `would be ignored by ${typesOf(loss)}, which compares with no reference; leave it out`
        : undefined,
  },
];

const promptRule: Rule<GenerateConfig> = {
  reads: ["prompt", "data.prompts"],
  about: "data.prompts",
  check: ({ prompt, data: { prompts } }) => {
    if (prompt === null && prompts === null) {
      return "is missing: give a file of prompts, or one with --prompt";
    }
    if (prompt !== null && prompts !== null) return "would be ignored beside prompt; give one of the two";
    return undefined;
  },
};

/** The rules of each command. */
export const RULES = {
  train: [...runRules, promptLengthRule, greedyRule, ...lossRules, ...referenceRules],
  sft: [...runRules, promptLengthRule, greedyRule],
  score: [promptLengthRule],
  generate: [greedyRule, promptRule],
};

function hasLoss(loss: readonly LossTerm[], type: LossTerm["type"]): boolean {
  return loss.some((term) => term.type === type);
}

/** The losses that read no log-prob of the reference. */
const WITHOUT_REFERENCE: readonly LossTerm["type"][] = ["sft", "orpo", "simpo", "cpo"];

// Losses without a reference, of which sft alone has a rule of its own.
function comparesWithNone(loss: readonly LossTerm[]): boolean {
  return loss.every(({ type }) => WITHOUT_REFERENCE.includes(type)) &&
    loss.some(({ type }) => type !== "sft");
}

function typesOf(loss: readonly LossTerm[]): string {
  return loss.map(({ type }) => type).join(" + ");
}
