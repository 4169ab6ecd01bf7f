/** GPT-NeoX and Pythia: LayerNorm, rotary positions on a part of each head, GELU, attention beside the feed-forward layer. */
import type { ModelConfig } from "../config.ts";
import { type Config, positiveInteger, positiveNumber, trueOrFalse } from "../files/config_values.ts";
import { parseRope } from "../files/rope.ts";
import { matrix, type ModelParameter, type RowSlice, table, vector } from "../parameters.ts";
import type { Family } from "./family.ts";
import { parseHeads, parseVocabulary, requireSupported } from "./parse.ts";

const ACTIVATIONS = {
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
} as const;

/** Files hold query, key and value of one head after another; the kernels want all queries, all keys, all values. */
function headSlices({ heads, headSize }: ModelConfig): RowSlice[] {
  return Array.from({ length: heads * 3 }, (_, i) => {
    const [head, kind] = [Math.floor(i / 3), i % 3];
    return { from: i * headSize, to: (kind * heads + head) * headSize, count: headSize };
  });
}

function parameters(config: ModelConfig): ModelParameter[] {
  const { vocabularySize: V, hiddenSize: C, intermediateSize: F, heads, headSize, biases } = config;
  const at = (name: string, shape: number[], slices?: RowSlice[]) => [
    { name: `gpt_neox.${name}`, shape, ...(slices ? { slices } : {}) },
  ];
  const layer = (n: number): ModelParameter[] => {
    const norm = (name: string, module: string) => [
      vector(`layers.${n}.${name}`, at(`layers.${n}.${module}.weight`, [C])),
      vector(`layers.${n}.${name}.bias`, at(`layers.${n}.${module}.bias`, [C])),
    ];
    const linear = (name: string, module: string, { shape: [outputs, inputs], bias, slices }: {
      shape: [number, number];
      bias: boolean;
      slices?: RowSlice[];
    }) => [
      matrix(`layers.${n}.${name}`, at(`layers.${n}.${module}.weight`, [outputs, inputs], slices)),
      ...(bias
        ? [vector(`layers.${n}.${name}.bias`, at(`layers.${n}.${module}.bias`, [outputs], slices))]
        : []),
    ];
    const attended = heads * headSize;
    const slices = headSlices(config);
    return [
      ...norm("input_norm", "input_layernorm"),
      ...linear("qkv", "attention.query_key_value", { shape: [3 * attended, C], bias: biases.qkv, slices }),
      ...linear("output", "attention.dense", { shape: [C, attended], bias: biases.output }),
      ...norm("feed_forward_norm", "post_attention_layernorm"),
      ...linear("up", "mlp.dense_h_to_4h", { shape: [F, C], bias: true }),
      ...linear("down", "mlp.dense_4h_to_h", { shape: [C, F], bias: true }),
    ];
  };
  return [
    table("embedding", at("embed_in.weight", [V, C])[0]!),
    ...Array.from({ length: config.layers }, (_, n) => layer(n)).flat(),
    vector("norm", at("final_layer_norm.weight", [C])),
    vector("norm.bias", at("final_layer_norm.bias", [C])),
    ...(config.tieWordEmbeddings ? [] : [matrix("head", [{ name: "embed_out.weight", shape: [V, C] }])]),
  ];
}

/** Channels of a head that are rotated: `rotary_pct` of them, or `partial_rotary_factor` as transformers 5 says. */
function parseRotated(config: Config, { name, headSize }: { name: string; headSize: number }): number {
  const rope = (config.rope_parameters ?? {}) as Config;
  const share = config.rotary_pct ?? rope.partial_rotary_factor ?? config.partial_rotary_factor ?? 0.25;
  const rotated = Math.trunc(headSize * positiveNumber({ rotary_pct: share }, "rotary_pct", { name }));
  if (rotated > headSize || rotated % 2 !== 0 || rotated === 0) {
    throw new Error(
      `${name}: rotary_pct ${share} of a head of ${headSize} rotates ${rotated} channels; give an even number up to all`,
    );
  }
  return rotated;
}

/** GPT-NeoX-20B, Pythia, and others of their kind. */
export const gptNeox: Family = {
  architecture: "GPTNeoXForCausalLM",
  parse(config, { name }) {
    requireSupported(config, { name, values: { hidden_act: Object.keys(ACTIVATIONS) } });
    const sizes = parseHeads({ hidden_size: 6144, ...config }, { name, heads: 64 });
    const attention = trueOrFalse(config, "attention_bias", { fallback: true, name });
    const { partial_rotary_factor: _, ...rope } = (config.rope_parameters ?? {}) as Config;
    const theta = config.rotary_emb_base ?? config.rope_theta;
    return {
      family: "gpt_neox",
      ...parseVocabulary(config, { name, size: 50_432, bos: 0, eos: 2 }),
      ...sizes,
      intermediateSize: positiveInteger(config, "intermediate_size", { fallback: 24_576, name }),
      layers: positiveInteger(config, "num_hidden_layers", { fallback: 44, name }),
      maxPositions: positiveInteger(config, "max_position_embeddings", { fallback: 2048, name }),
      norm: "layer",
      normEpsilon: positiveNumber(config, "layer_norm_eps", { fallback: 1e-5, name }),
      headNorms: false,
      activation: ACTIVATIONS[(config.hidden_act ?? "gelu") as keyof typeof ACTIVATIONS],
      biases: { qkv: attention, output: attention, feedForward: true },
      parallelResidual: trueOrFalse(config, "use_parallel_residual", { fallback: true, name }),
      positions: "rotary",
      rotated: parseRotated(config, { name, headSize: sizes.headSize }),
      ...parseRope({
        ...config,
        ...(theta === undefined ? {} : { rope_theta: theta }),
        ...(config.rope_parameters == null ? {} : { rope_parameters: rope }),
      }, { name }),
      slidingWindow: null,
      windowedFrom: 0,
      transposed: false,
    };
  },
  parameters,
  buffers: [".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"],
  prefix: "gpt_neox.",
};
