/** What an engine is built for, and the parameter sets it holds. */
import type { BatchShape } from "../data/pack.ts";
import type { AdamwOptions } from "../kernels/optimizer.ts";
import type { ParameterSet } from "../kernels/parameters.ts";
import type { CompiledLoss } from "../losses/compile.ts";
import type { ModelConfig } from "../models/config.ts";
import type { AdapterLayout } from "../models/lora/layout.ts";
import type { Checkpointing } from "../models/transformer.ts";

/** The three policies of a Trust Region run. */
export type PolicyName = "policy" | "reference" | "initial";

/** What is trained in place of the model's own weights. */
export interface LoraOptions {
  /** The adapters. */
  layout: AdapterLayout;
  /** How the frozen matrices are stored. */
  base: "float32" | "bfloat16";
  /** Snapshots of the policy's adapter that the reference may consist of. */
  snapshots: number;
  /** Whether training starts from an adapter that changes something already; it is the first reference then. */
  continued: boolean;
}

/** What an engine is built for. */
export interface EngineOptions {
  /** The model's architecture. */
  config: ModelConfig;
  /** Train adapters beside frozen weights instead of the weights. */
  lora?: LoraOptions;
  /** The loss, compiled; null for one that the host computes, see {@linkcode Engine.accumulateSeeded}. */
  loss: CompiledLoss | null;
  /**
   * Also measure how likely completions are for the policy itself, for losses that weigh records by it; default
   * false.
   */
  logWeights?: boolean;
  /** What the tokens of a completion beyond the shorter one's length count in its sum; default 1. */
  tailWeight?: number;
  /** Completions in a record: two for pairs, one for unpaired and SFT records. */
  sequencesPerRecord: 1 | 2;
  /**
   * No reference at all, one that stays, or one that follows the policy (then the initial one is kept beside it), by way of
   * an average of its own if need be.
   */
  reference: "none" | "frozen" | "moving" | "averaged";
  /** How a frozen reference's matrices are stored, where it has weights of its own; default float32. */
  referenceDtype?: "float32" | "bfloat16";
  /** AdamW's constants and the gradient's largest norm. */
  optimizer: AdamwOptions & { maxGradNorm: number | null };
  /** Shapes of the training and evaluation batches. */
  shapes: readonly BatchShape[];
  /** Shapes of the batches of mismatched sequences, for losses that need them. */
  mismatchedShapes?: readonly BatchShape[];
  /** Micro-batches whose gradients one optimizer step adds up, at most; default 1. */
  accumulate?: number;
  /** Also build what {@linkcode Engine.accumulateSeeded} needs. */
  seeded?: boolean;
  /** The longest sequence, in tokens. */
  maxLength: number;
  /**
   * Whether backward passes keep the activations of every block or compute them again; `auto`, the default, keeps them
   * unless that is more than `memoryLimit`.
   */
  checkpointing?: Checkpointing | "auto";
  /** Refuse to take more device memory than this, in bytes. */
  memoryLimit?: number;
}

/** Parameter sets of a run. */
export interface EngineSets {
  /** The frozen weights beside which adapters are trained; null where the weights themselves are. */
  readonly base: ParameterSet | null;
  /** What is trained. */
  readonly policy: ParameterSet;
  /** What it is compared with; null for losses without a reference, and where that is the base. */
  readonly reference: ParameterSet | null;
  /** The reference as it was at step 0; null unless the reference moves, and where that is the base. */
  readonly initial: ParameterSet | null;
  /** The moving average of the policy from which the reference is made; null unless it is averaged. */
  readonly average: ParameterSet | null;
  /** Sum of the gradients of the step's micro-batches. */
  readonly gradients: ParameterSet;
  /** AdamW's first moments. */
  readonly first: ParameterSet;
  /** AdamW's second moments. */
  readonly second: ParameterSet;
}
