/**
 * GPT-NeoX (Pythia) in GGUF. Its fused projection keeps queries, keys and values of a head together, llama.cpp
 * wants all queries first; its rotary embeddings turn the first part of each head, halves against halves.
 *
 * @module
 */
import { positiveInteger, positiveNumber, trueOrFalse } from "../config_values.ts";
import type { DescribeFamily, TensorMapping } from "./family.ts";
import { normalization, requireValues } from "./gpt2.ts";
import { unweaveHeads } from "./rows.ts";

// Keys that change what the model computes, with the one value for which llama.cpp computes it.
const ONLY_SUPPORTED: Readonly<Record<string, unknown>> = {
  attention_bias: true,
  tie_word_embeddings: false,
  rope_scaling: null,
};

// Activations of transformers that llama.cpp computes within 1e-3 or so: it has the tanh form only.
const ACTIVATIONS = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"];

/** Describes a GPT-NeoX model. */
export const describeGptNeox: DescribeFamily = (config, { name }) => {
  requireValues(config, ONLY_SUPPORTED, name);
  const activation = config.hidden_act ?? "gelu";
  if (!ACTIVATIONS.includes(activation as string)) {
    throw new Error(
      `${name}: hidden_act is ${JSON.stringify(activation)}; llama.cpp computes only ${
        ACTIVATIONS.join(", ")
      }`,
    );
  }
  const integer = (key: string, fallback: number) => positiveInteger(config, key, { fallback, name });
  const number = (key: string, fallback: number) => positiveNumber(config, key, { fallback, name });
  const [channels, heads] = [integer("hidden_size", 6144), integer("num_attention_heads", 64)];
  const [layers, inner] = [integer("num_hidden_layers", 44), integer("intermediate_size", 24576)];
  const vocabularySize = integer("vocab_size", 50432);
  const headSize = channels / heads;
  // Of each pair of keys, transformers reads the one and keeps the other for older files.
  const base = config.rope_theta === undefined
    ? number("rotary_emb_base", 10000)
    : number("rope_theta", 10000);
  const share = config.partial_rotary_factor === undefined
    ? number("rotary_pct", 0.25)
    : number("partial_rotary_factor", 0.25);
  return {
    architecture: "gptneox",
    hyperparameters: {
      "vocab_size": { uint32: vocabularySize },
      "context_length": { uint32: integer("max_position_embeddings", 2048) },
      "embedding_length": { uint32: channels },
      "block_count": { uint32: layers },
      "feed_forward_length": { uint32: inner },
      "attention.head_count": { uint32: heads },
      "attention.layer_norm_epsilon": { float32: number("layer_norm_eps", 1e-5) },
      "rope.dimension_count": { uint32: Math.floor(headSize * share) },
      "rope.freq_base": { float32: base },
      "use_parallel_residual": trueOrFalse(config, "use_parallel_residual", { fallback: true, name }),
    },
    vocabularySize,
    eosTokenIds: [],
    tensors: [
      {
        source: "gpt_neox.embed_in.weight",
        shape: [vocabularySize, channels],
        target: "token_embd.weight",
      },
      ...Array.from({ length: layers }, (_, n) => layerTensors(n, { channels, inner, headSize })).flat(),
      ...normalization("gpt_neox.final_layer_norm", "output_norm", channels),
      { source: "embed_out.weight", shape: [vocabularySize, channels], target: "output.weight" },
    ],
    computed: [],
    isBuffer: (tensor) => /\.attention\.(masked_bias|bias|rotary_emb\.inv_freq)$/.test(tensor),
    notes: activation === "gelu"
      ? [
        "llama.cpp computes GELU of this family in its tanh form, the model in its exact form: log-probs " +
        "differ in the third decimal",
      ]
      : [],
  };
};

function layerTensors(
  n: number,
  { channels, inner, headSize }: { channels: number; inner: number; headSize: number },
): TensorMapping[] {
  const [source, target] = [`gpt_neox.layers.${n}`, `blk.${n}`];
  const qkv = linear(`${source}.attention.query_key_value`, `${target}.attn_qkv`, [3 * channels, channels]);
  return [
    ...normalization(`${source}.input_layernorm`, `${target}.attn_norm`, channels),
    ...qkv.map((mapping) => ({ ...mapping, rearrangement: unweaveHeads(mapping.shape, { headSize }) })),
    ...linear(`${source}.attention.dense`, `${target}.attn_output`, [channels, channels]),
    ...normalization(`${source}.post_attention_layernorm`, `${target}.ffn_norm`, channels),
    ...linear(`${source}.mlp.dense_h_to_4h`, `${target}.ffn_up`, [inner, channels]),
    ...linear(`${source}.mlp.dense_4h_to_h`, `${target}.ffn_down`, [channels, inner]),
  ];
}

function linear(source: string, target: string, shape: readonly [number, number]): TensorMapping[] {
  return [
    { source: `${source}.weight`, shape, target: `${target}.weight` },
    { source: `${source}.bias`, shape: [shape[0]], target: `${target}.bias` },
  ];
}
