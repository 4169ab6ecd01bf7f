/**
 * What several keys together rule out, and what they make unlikely to work.
 *
 * @module
 */
import { lossOf } from "../../training/config.ts";
import type {
  GenerateConfig,
  InspectConfig,
  LossTerm,
  SftConfig,
  TrainConfig,
  TuneConfig,
} from "./commands.ts";
import { evaluateRules } from "./evaluate_rules.ts";
import { isMapping } from "./tree.ts";
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
    reads: ["data.train"],
    about: "data.train",
    check: ({ data: { train } }) => {
      const weights = train.map((source) => typeof source === "string" ? undefined : source.weight);
      if (weights.every((weight) => weight === undefined)) return undefined;
      if (train.length === 1) return "a weight would be ignored where there is one source; leave it out";
      return weights.includes(undefined)
        ? "only some of the sources have a weight; give each of them one, or none"
        : undefined;
    },
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

const tuneRules: Rule<TuneConfig>[] = [
  ...(["rows", "completionTokens"] as const).map((name) => {
    const about = name === "rows" ? name : "completion_tokens";
    return {
      reads: ["model.path", about],
      about,
      check: ({ model: { path }, [name]: value }: TuneConfig) =>
        path === null && value !== null ? "would be ignored without model.path" : undefined,
    };
  }),
  {
    reads: ["model.path", "dtype"],
    about: "dtype",
    check: ({ model: { path }, dtype }) =>
      path === null && dtype !== "float32" ? "would be ignored without model.path" : undefined,
  },
  {
    reads: ["rows", "completion_tokens"],
    about: "completion_tokens",
    check: ({ rows, completionTokens }) =>
      rows !== null && completionTokens !== null && completionTokens > rows
        ? `${completionTokens} is more than the ${rows} rows that they are among`
        : undefined,
  },
];

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
    reads: ["loss", "training.batch_size", "training.accumulate"],
    about: "training.batch_size",
    check: ({ loss, training }) =>
      (hasLoss(loss, "aot") || hasLoss(loss, "aot_unpaired")) &&
        training.batchSize * training.accumulate === 1
        ? "1 leaves aot nothing to sort; take at least 2, or loss dpo"
        : undefined,
  },
  {
    reads: ["loss"],
    about: "loss",
    check: ({ loss }) => {
      try {
        lossOf({ loss });
      } catch (error) {
        return `can't be made: ${(error as Error).message}`;
      }
    },
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
  {
    reads: ["loss", "reference.update", "reference.dtype"],
    about: "reference.dtype",
    check: ({ loss, reference }) =>
      reference.update === "frozen" && reference.dtype !== "float32" && comparesWithNone(loss)
        ? `would be ignored by ${typesOf(loss)}, which compares with no reference; leave it out`
        : undefined,
  },
];

/** Keys of `model.lora` that an adapter's own config answers. */
const ADAPTER_KEYS = [
  "rank",
  "alpha",
  "targets",
  "exclude",
  "layers",
  "useRslora",
  "rankPattern",
  "alphaPattern",
] as const;

const loraRules: Rule<TrainConfig | SftConfig>[] = [
  {
    reads: ["model.lora"],
    about: "model.lora.path",
    check: ({ model: { lora } }) => {
      const given = lora?.path == null ? undefined : ADAPTER_KEYS.find((name) => lora[name] !== undefined);
      if (given === undefined) return undefined;
      const name = given.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return `names an adapter, whose config would win over model.lora.${name}; leave that out`;
    },
  },
];

const sftLoraRule: Rule<SftConfig> = {
  reads: ["model.lora"],
  about: "model.lora.snapshots",
  check: ({ model: { lora } }) =>
    lora?.snapshots === undefined
      ? undefined
      : "would be ignored: sft compares with no reference; train does",
};

/** Whether a reference stays, or becomes the policy whenever it moves. */
function movesWhole(reference: TrainConfig["reference"]): boolean {
  const { update } = reference;
  if (update === "frozen" || update === "hard") return true;
  return "alpha" in reference && reference.alpha === 1;
}

const referenceOfAdapterRules: Rule<TrainConfig>[] = [
  {
    reads: ["model.lora", "reference.path"],
    about: "reference.path",
    check: ({ model: { lora }, reference: { path } }) =>
      lora != null && path !== null
        ? "is a model of its own, and an adapter's reference shares the policy's base; leave it out, or model.lora"
        : undefined,
  },
  {
    reads: ["model.lora", "reference.update", "reference.dtype"],
    about: "reference.dtype",
    check: ({ model: { lora }, reference }) =>
      lora != null && reference.update === "frozen" && reference.dtype === "bfloat16"
        ? "would be ignored: an adapter's reference is its base; set model.lora.base"
        : undefined,
  },
  {
    reads: ["model.lora", "reference"],
    about: "model.lora.snapshots",
    check: ({ model: { lora }, reference }) =>
      lora?.snapshots !== undefined && movesWhole(reference)
        ? `would be ignored by reference.update: ${reference.update}, which needs one at most; leave it out`
        : undefined,
  },
  {
    reads: ["model.lora", "reference.update"],
    about: "reference.update",
    check: ({ model: { lora }, reference: { update } }) =>
      lora != null && update === "bema"
        ? "bema is an average of weights, and the average of adapters is not that of their products; take soft, or leave " +
          "model.lora out"
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

const answerNameRule: Rule<GenerateConfig> = {
  reads: ["output.format", "output.name"],
  about: "output.name",
  check: ({ output: { format, name } }) =>
    name !== null && format === "jsonl"
      ? "would be ignored by output.format: jsonl; leave it out"
      : undefined,
};

/** The rules of each command. */
export const RULES = {
  train: [
    ...runRules,
    ...loraRules,
    promptLengthRule,
    greedyRule,
    ...lossRules,
    ...referenceRules,
    ...referenceOfAdapterRules,
  ],
  sft: [...runRules, ...loraRules, sftLoraRule, promptLengthRule, greedyRule],
  inspect: [
    ...runRules,
    ...loraRules,
    promptLengthRule,
    greedyRule,
    ...lossRules,
  ] as unknown as Rule<InspectConfig>[],
  score: [promptLengthRule],
  generate: [greedyRule, promptRule, answerNameRule],
  evaluate: [promptLengthRule, ...evaluateRules],
  export: [],
  tune: tuneRules,
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

/**
 * Gives a configuration of a loss that compares with no reference the update that says so, unless it says
 * something of updates itself: `value` is what was given, with sections as mappings.
 */
export function freezeUnusedReference(value: unknown): unknown {
  if (!isMapping(value)) return value;
  const { loss, reference } = value;
  if (!needsNoReference(loss) || !isMapping(reference)) return value;
  if (["update", "alpha", "every"].some((key) => key in reference)) return value;
  return { ...value, reference: { ...reference, update: "frozen" } };
}

/** Whether a `loss` section as it was given has only losses that read no log-prob of the reference. */
export function needsNoReference(loss: unknown): boolean {
  const terms: unknown[] = Array.isArray(loss) ? loss : [loss];
  return terms.every((term) =>
    isMapping(term) && (WITHOUT_REFERENCE as readonly unknown[]).includes(term.type)
  );
}

function typesOf(loss: readonly LossTerm[]): string {
  return loss.map(({ type }) => type).join(" + ");
}
