/** What a run can be told; the command line reads it from YAML. */
import { combine } from "../losses/combine.ts";
import type { Loss } from "../losses/definition.ts";
import { sft } from "../losses/sft.ts";
import type { DataEntry } from "../data/read_sources.ts";
import type { Checkpointing } from "../models/transformer.ts";
import { type LossChanges, type LossSettings, lossTerm } from "./loss_settings.ts";
import type { ReferenceSettings } from "./reference_settings.ts";
import type { ScheduleName } from "./schedule.ts";

export type { LossChanges, LossSettings };

/** Adapters that are trained in place of the model's weights; what is left out has a default, or the adapter's config says it. */
export interface LoraRunSettings {
  /** An adapter's directory to go on from; null starts a new one. */
  readonly path: string | null;
  /** r; default 16. */
  readonly rank?: number | undefined;
  /** α; default twice the rank. */
  readonly alpha?: number | undefined;
  /** Default `all-linear`. */
  readonly targets?: readonly string[] | string | undefined;
  /** Layers that get none. */
  readonly exclude?: readonly string[] | string | undefined;
  /** Blocks whose layers get adapters. */
  readonly layers?: readonly number[] | undefined;
  /** Divide α by √r. */
  readonly useRslora?: boolean | undefined;
  /** Other ranks, by name. */
  readonly rankPattern?: readonly (readonly [string, number])[] | undefined;
  /** Other α, by name. */
  readonly alphaPattern?: readonly (readonly [string, number])[] | undefined;
  /** How the frozen matrices are stored. */
  readonly base: "float32" | "bfloat16";
  /** Snapshots that a moving reference may consist of; by default as many as keep it exact. */
  readonly snapshots?: number | undefined;
  /** Whether the policy is also written with the adapter merged. */
  readonly merge: boolean;
}

/** All settings of a run; see the README's table of keys for what each does. */
export interface RunConfig {
  /** The model to train, in Hugging Face layout, and the element type that it is written with. */
  readonly model: {
    readonly path: string;
    readonly lora?: LoraRunSettings | null | undefined;
    readonly dtype: "float32" | "float16" | "bfloat16";
  };
  /** Records and how they become tokens. */
  readonly data: {
    /** Sources; where one has a weight, all have, and records are drawn in these shares. */
    readonly train: readonly DataEntry[];
    /** A source of held-out records, or the share of the training records to hold out. */
    readonly eval: DataEntry | number | null;
    readonly evalRecords: number | null;
    readonly maxLength: number;
    readonly maxPromptLength: number | null;
    readonly truncate: "keep_end" | "keep_start";
    readonly template: string | null;
    readonly shuffle: boolean;
    readonly invalid: "error" | "skip";
    /** Path of a `dataset_info.json` whose names stand for sources. */
    readonly datasetInfo?: string | null;
    /** Directory for tokenized records; `auto` takes the user's, for large files; null keeps all in memory. */
    readonly cache?: string | null;
  };
  /** The weighted losses; absent for supervised fine-tuning. */
  readonly loss?: readonly LossSettings[];
  /** The reference; absent for supervised fine-tuning. */
  readonly reference?: ReferenceSettings;
  /** Steps, batches and the optimizer. */
  readonly training: {
    readonly steps: number;
    readonly batchSize: number;
    readonly accumulate: number;
    readonly learningRate: number;
    readonly schedule: ScheduleName;
    readonly warmup: number;
    readonly weightDecay: number;
    readonly adamBetas: readonly [number, number];
    readonly adamEpsilon: number;
    readonly maxGradNorm: number | null;
    readonly seed: number;
    readonly initialEvery?: number;
    readonly memoryLimit: number | null;
    /** Whether the backward pass computes activations again; by default where `memoryLimit` asks for it. */
    readonly checkpointing?: Checkpointing | "auto";
  };
  /** Where results go and how often. */
  readonly output: {
    readonly directory: string;
    readonly saveEvery: number;
    readonly evalEvery: number;
    readonly logEvery: number;
    readonly keepCheckpoints: number;
    readonly samples: number;
    readonly sampleTokens: number;
  };
  /** How the samples before and after are drawn. */
  readonly generation: {
    readonly temperature: number;
    readonly topK: number | null;
    readonly topP: number | null;
    readonly seed: number;
  };
}

/** The loss that a configuration asks for. */
export function lossOf(config: Pick<RunConfig, "loss">): Loss {
  if (config.loss === undefined) return sft();
  const [first] = config.loss;
  if (config.loss.length === 1 && first?.weight === 1) return lossTerm(first);
  return combine(config.loss.map((settings) => ({ loss: lossTerm(settings), weight: settings.weight })));
}
