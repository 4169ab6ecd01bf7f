/**
 * What several keys together rule out, and what they make unlikely to work.
 *
 * @module
 */
import type { GenerateConfig, LossTerm, ReferenceConfig, SftConfig, TrainConfig } from "./commands.ts";

/** A condition on several keys: `check` sees only configurations in which the keys it `reads` are valid. */
export interface Rule<C> {
  /** The keys, in snake_case, that the rule reads. */
  reads: readonly string[];
  /** The key that its message is about. */
  about: string;
  /** What is wrong, or undefined. */
  check: (config: C) => string | undefined;
}

// Where the reference trails the policy by fewer steps than this, margins stay near zero.
const MIN_REFERENCE_LAG = 4;

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
    reads: ["reference.update", "reference.alpha", "reference.every"],
    about: "reference.every",
    check: ({ reference }) =>
      meanLag(reference) === 0
        ? `1${
          reference.update === "soft" ? " with alpha 1" : ""
        } copies the policy after every step: the margins stay 0 ` +
          "and nothing regularizes; raise it"
        : undefined,
  },
  {
    reads: ["loss", "training.batch_size"],
    about: "training.batch_size",
    check: ({ loss, training }) =>
      hasLoss(loss, "kto") && training.batchSize === 1
        ? "1 is too small for kto, whose KL term needs a prompt with another record's completion; take at least 2"
        : undefined,
  },
  {
    reads: ["loss", "training.accumulate"],
    about: "training.accumulate",
    check: ({ loss, training }) =>
      hasLoss(loss, "kto_paired") && training.accumulate > 1
        ? `${training.accumulate} would split the batch over which kto_paired takes its means; raise ` +
          "training.batch_size instead"
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
  train: [...runRules, promptLengthRule, greedyRule, ...lossRules],
  sft: [...runRules, promptLengthRule, greedyRule],
  score: [promptLengthRule],
  generate: [greedyRule, promptRule],
};

/** What is allowed in a configuration and yet unlikely to be meant: one line each, for printing before a run. */
export function configWarnings(config: TrainConfig): string[] {
  const { reference, training: { steps } } = config;
  if (reference.update === "frozen") return [];
  const warnings: string[] = [];
  if (reference.every >= steps) {
    warnings.push(
      `reference.every: ${reference.every} is not below training.steps, ${steps}, so the reference never moves ` +
        "while it is used; lower it, or say update: frozen",
    );
  }
  const lag = meanLag(reference);
  if (lag < MIN_REFERENCE_LAG) {
    warnings.push(
      `reference: it trails the policy by only ${
        lag.toFixed(1)
      } steps on average, so margins stay near 0 and little ` +
        `regularizes; raise every${reference.update === "soft" ? " or lower alpha" : ""}`,
    );
  }
  return warnings;
}

// How many steps old the reference is on average: between updates it ages, and an update leaves (1 − α) of its age.
function meanLag(reference: ReferenceConfig): number {
  if (reference.update === "frozen") return Infinity;
  const alpha = reference.update === "soft" ? reference.alpha : 1;
  return reference.every * (1 - alpha) / alpha + (reference.every - 1) / 2;
}

function hasLoss(loss: readonly LossTerm[], type: LossTerm["type"]): boolean {
  return loss.some((term) => term.type === type);
}
