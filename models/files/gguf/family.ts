/**
 * What a model family is in a GGUF file, and the table of the families that can be written.
 *
 * @module
 */
import type { Config } from "../config_values.ts";
import type { GgufMetadata } from "./format.ts";
import { describeGpt2 } from "./gpt2.ts";
import { describeGptNeox } from "./gpt_neox.ts";
import { describeLlama } from "./llama.ts";
import type { Rearrangement } from "./rows.ts";

/** One tensor's way from a Hugging Face directory into a GGUF file. */
export interface TensorMapping {
  /** Its name in the directory. */
  readonly source: string;
  /** Its sizes there, outermost first. */
  readonly shape: readonly number[];
  /** Its name in the GGUF file. */
  readonly target: string;
  /** How its elements are rearranged, if they are. */
  readonly rearrangement?: Rearrangement;
  /** Whether it stays F32 whatever the file's type. */
  readonly exact?: boolean;
}

/** A model as llama.cpp sees it. */
export interface GgufModel {
  /** llama.cpp's name of the architecture, which begins the keys of `hyperparameters`. */
  readonly architecture: string;
  /** Metadata of the architecture, keys without that beginning. */
  readonly hyperparameters: GgufMetadata;
  /** Rows of the embedding: the tokenizer in the file is filled up to this many tokens. */
  readonly vocabularySize: number;
  /** Ids that end a text, according to `config.json`. */
  readonly eosTokenIds: readonly number[];
  /** Every tensor of the model, in the file's order. */
  readonly tensors: readonly TensorMapping[];
  /** Tensors that are computed from the config. */
  readonly computed: readonly { readonly target: string; readonly values: Float32Array<ArrayBuffer> }[];
  /** Whether a tensor of the directory is one that llama.cpp makes itself, such as a causal mask. */
  readonly isBuffer: (name: string) => boolean;
  /** Where llama.cpp computes something else than the model was trained with. */
  readonly notes: readonly string[];
}

/** Describes a model from its `config.json` and the names of its tensors; `name` is for error messages. */
export type DescribeFamily = (
  config: Config,
  options: { readonly name: string; readonly tensorNames: ReadonlySet<string> },
) => GgufModel;

/** The families by `model_type`. */
const FAMILIES: Readonly<Record<string, DescribeFamily>> = {
  llama: describeLlama,
  mistral: describeLlama,
  qwen2: describeLlama,
  qwen3: describeLlama,
  gpt2: describeGpt2,
  gpt_neox: describeGptNeox,
};

/**
 * Describes a model for llama.cpp.
 *
 * @throws {Error} if its family isn't one of those that can be written, or its config isn't supported
 */
export const describeModel: DescribeFamily = (config, options) => {
  const type = config.model_type;
  if (typeof type === "string" && Object.hasOwn(FAMILIES, type)) return FAMILIES[type]!(config, options);
  throw new Error(
    `${options.name}: model_type is ${JSON.stringify(type)}, which can't be exported; ` +
      `the supported ones are: ${Object.keys(FAMILIES).join(", ")}`,
  );
};
