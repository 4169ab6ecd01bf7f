/**
 * The `config.json` of a Llama model, checked and typed.
 *
 * @module
 */
import { parseRope, type RopeScaling } from "./rope.ts";
import {
  type Config,
  fail,
  optional,
  positiveInteger,
  positiveNumber,
  trueOrFalse,
} from "./config_values.ts";

/** Hyperparameters of a Llama model. */
export interface LlamaConfig {
  /** Number of token ids, rows of the embedding. */
  vocabularySize: number;
  /** Width of the residual stream. */
  hiddenSize: number;
  /** Width of the feed-forward layer. */
  intermediateSize: number;
  /** Number of transformer blocks. */
  layers: number;
  /** Number of query heads. */
  heads: number;
  /** Number of key and value heads, a divisor of `heads`. */
  keyValueHeads: number;
  /** Width of one head; `heads * headSize` need not be `hiddenSize`. */
  headSize: number;
  /** Longest sequence, in tokens, that the model is made for. */
  maxPositions: number;
  /** Added to the mean square in RMSNorm. */
  rmsNormEpsilon: number;
  /** Base of the rotary embedding's frequencies. */
  ropeTheta: number;
  /** How these frequencies are stretched to longer contexts, if they are. */
  ropeScaling: RopeScaling | null;
  /** Whether the embedding is the output layer too. */
  tieWordEmbeddings: boolean;
  /** Id of the token that begins a text. */
  bosTokenId: number | null;
  /** Ids of the tokens that end one. */
  eosTokenIds: number[];
}

const SUPPORTED = "the supported ones are: llama (LlamaForCausalLM)";

// Keys that change what the model computes, with the one value for which this package computes it.
const ONLY_SUPPORTED: Readonly<Record<string, unknown>> = {
  attention_bias: false,
  mlp_bias: false,
  hidden_act: "silu",
  pretraining_tp: 1,
  partial_rotary_factor: 1,
  quantization_config: null,
};

/**
 * Reads the `config.json` of a Llama model; a missing key has the default of transformers' `LlamaConfig`.
 *
 * What would make the model compute something else than it was trained to is refused. The exception is
 * `attention_dropout`, which isn't applied, as is usual in preference training: log-probs are to be exact.
 *
 * @param config the parsed file, with rotary settings as transformers 4 or 5 writes them
 * @param options `name`: what error messages call the file
 * @throws {Error} if the architecture is another one, a value is out of range, or a feature isn't supported; the
 * message names the key and its value
 *
 * @example
 * ```ts
 * import { parseLlamaConfig } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const json = { model_type: "llama", hidden_size: 64, num_attention_heads: 8, num_key_value_heads: 4 };
 * const config = parseLlamaConfig(json, { name: "config.json" });
 * assertEquals(config.headSize, 8);
 * assertEquals(config.ropeTheta, 10000);
 * ```
 */
export function parseLlamaConfig(config: Config, { name }: { name: string }): LlamaConfig {
  requireLlama(config, name);
  requireSupported(config, name);
  const hiddenSize = positiveInteger(config, "hidden_size", { fallback: 4096, name });
  const heads = positiveInteger(config, "num_attention_heads", { fallback: 32, name });
  return {
    vocabularySize: positiveInteger(config, "vocab_size", { fallback: 32000, name }),
    hiddenSize,
    intermediateSize: positiveInteger(config, "intermediate_size", { fallback: 11008, name }),
    layers: positiveInteger(config, "num_hidden_layers", { fallback: 32, name }),
    heads,
    keyValueHeads: parseKeyValueHeads(config, { heads, name }),
    headSize: parseHeadSize(config, { hiddenSize, heads, name }),
    maxPositions: positiveInteger(config, "max_position_embeddings", { fallback: 2048, name }),
    rmsNormEpsilon: positiveNumber(config, "rms_norm_eps", { fallback: 1e-6, name }),
    ...parseRope(config, { name }),
    tieWordEmbeddings: trueOrFalse(config, "tie_word_embeddings", { fallback: false, name }),
    bosTokenId: parseTokenIds(config, "bos_token_id", { fallback: 1, name })[0] ?? null,
    eosTokenIds: parseTokenIds(config, "eos_token_id", { fallback: 2, name }),
  };
}

function requireLlama(config: Config, name: string): void {
  const { model_type: type, architectures = null } = config;
  if (type !== "llama") {
    throw new Error(
      `${name}: model_type is ${JSON.stringify(type)}, an architecture not supported; ${SUPPORTED}`,
    );
  }
  const isLlama = architectures === null ||
    (Array.isArray(architectures) && architectures.includes("LlamaForCausalLM"));
  if (!isLlama) {
    throw new Error(
      `${name}: architectures is ${JSON.stringify(architectures)}, not supported; ${SUPPORTED}`,
    );
  }
}

function requireSupported(config: Config, name: string): void {
  for (const [key, supported] of Object.entries(ONLY_SUPPORTED)) {
    const value = config[key] ?? supported;
    if (value === supported) continue;
    throw new Error(
      `${name}: ${key} is ${JSON.stringify(value)}, which is not supported; ` +
        (supported === null ? "use weights without it" : `only ${JSON.stringify(supported)} is`),
    );
  }
}

function parseKeyValueHeads(config: Config, { heads, name }: { heads: number; name: string }): number {
  const keyValueHeads = positiveInteger(optional(config, "num_key_value_heads"), "num_key_value_heads", {
    fallback: heads,
    name,
  });
  if (heads % keyValueHeads !== 0) {
    throw new Error(
      `${name}: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${keyValueHeads}`,
    );
  }
  return keyValueHeads;
}

function parseHeadSize(
  config: Config,
  { hiddenSize, heads, name }: { hiddenSize: number; heads: number; name: string },
): number {
  const given = optional(config, "head_dim");
  if (!("head_dim" in given) && hiddenSize % heads !== 0) {
    throw new Error(
      `${name}: hidden_size ${hiddenSize} is not a multiple of num_attention_heads ${heads}; give head_dim`,
    );
  }
  const headSize = positiveInteger(given, "head_dim", { fallback: hiddenSize / heads, name });
  if (headSize % 2 !== 0) {
    throw new Error(`${name}: the head size is ${headSize}; rotary embeddings need an even one`);
  }
  return headSize;
}

function parseTokenIds(
  config: Config,
  key: string,
  { fallback, name }: { fallback: number; name: string },
): number[] {
  const value = config[key] === undefined ? fallback : config[key];
  const ids = value === null ? [] : Array.isArray(value) ? value : [value];
  if (!ids.every(Number.isSafeInteger)) {
    throw fail(config, key, { wanted: "a token id or a list of them", name });
  }
  return ids;
}
