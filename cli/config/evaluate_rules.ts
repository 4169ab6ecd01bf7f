/**
 * What several keys of `evaluate` together rule out.
 *
 * @module
 */
import type { EvaluateConfig } from "./commands.ts";
import type { Rule } from "./rules.ts";

/** Sections that only answers to prompts make use of. */
const OF_ANSWERS = ["generation", "opponent", "gold", "rewardModel", "judge"] as const;

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The rules of `evaluate`. */
export const evaluateRules: Rule<EvaluateConfig>[] = [
  {
    reads: ["data.records", "data.prompts"],
    about: "data.records",
    check: ({ data: { records, prompts } }) =>
      records === null && prompts === null
        ? "is missing: give records to measure on, or data.prompts to answer, or both"
        : undefined,
  },
  {
    reads: ["data.records", "data.prompts"],
    about: "data.prompts",
    check: ({ data: { records, prompts } }) =>
      prompts === "records" && records === null
        ? "records are wanted, but data.records gives none"
        : undefined,
  },
  {
    reads: ["data.records", "data.records_limit"],
    about: "data.records_limit",
    check: ({ data: { records, recordsLimit } }) =>
      recordsLimit !== null && records === null ? "would be ignored without data.records" : undefined,
  },
  {
    reads: ["data.prompts", "data.prompts_limit"],
    about: "data.prompts_limit",
    check: ({ data: { prompts, promptsLimit } }) =>
      promptsLimit !== null && prompts === null ? "would be ignored without data.prompts" : undefined,
  },
  ...OF_ANSWERS.map((section): Rule<EvaluateConfig> => ({
    reads: ["data.prompts", snakeCase(section)],
    about: snakeCase(section),
    check: (config) =>
      config[section] != null && config.data.prompts === null
        ? "would be ignored without data.prompts, whose answers it is for"
        : undefined,
  })),
  {
    reads: ["opponent"],
    about: "opponent",
    check: ({ opponent }) => {
      if (opponent == null) return undefined;
      if (opponent.path === null && opponent.answers === null) {
        return "give opponent.path or opponent.answers";
      }
      if (opponent.path !== null && opponent.answers !== null) {
        return "opponent.answers would be ignored beside opponent.path; give one of the two";
      }
      return opponent.adapter !== null && opponent.path === null
        ? "opponent.adapter would be ignored without opponent.path"
        : undefined;
    },
  },
  {
    reads: ["judge", "opponent"],
    about: "judge",
    check: ({ judge, opponent }) =>
      judge != null && opponent == null ? "compares two answers; give an opponent" : undefined,
  },
  {
    reads: ["reward_model", "opponent"],
    about: "reward_model.tie",
    check: ({ rewardModel, opponent }) =>
      rewardModel != null && rewardModel.tie > 0 && opponent == null
        ? "would be ignored without an opponent"
        : undefined,
  },
  {
    reads: ["generation"],
    about: "generation",
    check: ({ generation }) => {
      if (generation == null || generation.temperature !== 0) return undefined;
      if (generation.topK !== null || generation.topP !== null) {
        return "temperature 0 takes the likeliest token and would ignore top_k and top_p; leave those out";
      }
      return generation.samples > 1
        ? `temperature 0 would give the same answer ${generation.samples} times; set samples to 1`
        : undefined;
    },
  },
];
