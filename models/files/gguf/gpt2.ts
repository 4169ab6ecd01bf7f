/**
 * GPT-2 in GGUF. Its linear layers are stored transposed, as `Conv1D`.
 *
 * @module
 */
import { type Config, fail, optional, positiveInteger, positiveNumber } from "../config_values.ts";
import type { DescribeFamily, TensorMapping } from "./family.ts";
import { transposed } from "./rows.ts";

// Keys that change what the model computes, with the one value for which llama.cpp computes it.
const ONLY_SUPPORTED: Readonly<Record<string, unknown>> = {
  activation_function: "gelu_new",
  scale_attn_weights: true,
  scale_attn_by_inverse_layer_idx: false,
  add_cross_attention: false,
  tie_word_embeddings: true,
};

/** Describes a GPT-2 model, with or without the prefix `transformer.` that some files have and some haven't. */
export const describeGpt2: DescribeFamily = (config, { name, tensorNames }) => {
  requireValues(config, ONLY_SUPPORTED, name);
  const integer = (key: string, fallback: number) => positiveInteger(config, key, { fallback, name });
  const channels = integer("n_embd", 768);
  const inner = positiveInteger(optional(config, "n_inner"), "n_inner", { fallback: 4 * channels, name });
  const [layers, heads] = [integer("n_layer", 12), integer("n_head", 12)];
  const [vocabularySize, positions] = [integer("vocab_size", 50257), integer("n_positions", 1024)];
  const prefix = tensorNames.has("transformer.wte.weight") ? "transformer." : "";
  return {
    architecture: "gpt2",
    hyperparameters: {
      "vocab_size": { uint32: vocabularySize },
      "context_length": { uint32: positions },
      "embedding_length": { uint32: channels },
      "block_count": { uint32: layers },
      "feed_forward_length": { uint32: inner },
      "attention.head_count": { uint32: heads },
      "attention.layer_norm_epsilon": {
        float32: positiveNumber(config, "layer_norm_epsilon", { fallback: 1e-5, name }),
      },
    },
    vocabularySize,
    eosTokenIds: [],
    tensors: [
      { source: `${prefix}wte.weight`, shape: [vocabularySize, channels], target: "token_embd.weight" },
      {
        source: `${prefix}wpe.weight`,
        shape: [positions, channels],
        target: "position_embd.weight",
        exact: true,
      },
      ...Array.from({ length: layers }, (_, n) => layerTensors(n, { prefix, channels, inner })).flat(),
      ...normalization(`${prefix}ln_f`, "output_norm", channels),
    ],
    computed: [],
    isBuffer: (tensor) => /\.attn\.(masked_)?bias$/.test(tensor) || tensor === "lm_head.weight",
    notes: [],
  };
};

function layerTensors(
  n: number,
  { prefix, channels, inner }: { prefix: string; channels: number; inner: number },
): TensorMapping[] {
  const [source, target] = [`${prefix}h.${n}`, `blk.${n}`];
  return [
    ...normalization(`${source}.ln_1`, `${target}.attn_norm`, channels),
    ...convolution(`${source}.attn.c_attn`, `${target}.attn_qkv`, [channels, 3 * channels]),
    ...convolution(`${source}.attn.c_proj`, `${target}.attn_output`, [channels, channels]),
    ...normalization(`${source}.ln_2`, `${target}.ffn_norm`, channels),
    ...convolution(`${source}.mlp.c_fc`, `${target}.ffn_up`, [channels, inner]),
    ...convolution(`${source}.mlp.c_proj`, `${target}.ffn_down`, [inner, channels]),
  ];
}

function convolution(source: string, target: string, shape: readonly [number, number]): TensorMapping[] {
  return [
    {
      source: `${source}.weight`,
      shape,
      target: `${target}.weight`,
      rearrangement: transposed(shape),
    },
    { source: `${source}.bias`, shape: [shape[1]], target: `${target}.bias` },
  ];
}

/** Weight and bias of a layer normalization over `channels`. */
export function normalization(source: string, target: string, channels: number): TensorMapping[] {
  return ["weight", "bias"].map((part) => ({
    source: `${source}.${part}`,
    shape: [channels],
    target: `${target}.${part}`,
  }));
}

/** Refuses a config in which a key has another value than the one that is supported. */
export function requireValues(
  config: Config,
  supported: Readonly<Record<string, unknown>>,
  name: string,
): void {
  for (const [key, value] of Object.entries(supported)) {
    if ((config[key] ?? value) === value) continue;
    throw fail(config, key, {
      wanted: `${JSON.stringify(value)}, the only value that can be exported`,
      name,
    });
  }
}
