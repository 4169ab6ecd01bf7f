/** Llama 2 and 3, SmolLM, and Mistral, which differs by its window: RMSNorm, rotary positions, SwiGLU. */
import type { FamilyName, ModelConfig } from "../config.ts";
import { type Config, positiveInteger, positiveNumber, trueOrFalse } from "../files/config_values.ts";
import { parseRope } from "../files/rope.ts";
import { matrix, type ModelParameter, type ParameterPart, table, vector } from "../parameters.ts";
import type { Family } from "./family.ts";
import { parseHeads, parseVocabulary, parseWindow, requireSupported } from "./parse.ts";

/** Parameters of models that call their tensors as Llama does: Qwen's too. */
export function llamaParameters(config: ModelConfig): ModelParameter[] {
  const { vocabularySize: V, hiddenSize: C, intermediateSize: F, heads, keyValueHeads, headSize } = config;
  const { biases, headNorms } = config;
  const layer = (n: number): ModelParameter[] => {
    const part = (name: string, shape: number[]): ParameterPart => ({
      name: `model.layers.${n}.${name}`,
      shape,
    });
    /** The weights, and if they have them the biases, of projections that read one input. */
    const projections = (name: string, outputs: Record<string, number>, { inputs, bias }: {
      inputs: number;
      bias: boolean;
    }): ModelParameter[] => {
      const parts = (ending: string, rest: number[]) =>
        Object.entries(outputs).map(([module, rows]) => part(`${module}.${ending}`, [rows, ...rest]));
      return [
        matrix(`layers.${n}.${name}`, parts("weight", [inputs])),
        ...(bias ? [vector(`layers.${n}.${name}.bias`, parts("bias", []))] : []),
      ];
    };
    const norm = (name: string, module: string, size = C) =>
      vector(`layers.${n}.${name}`, [part(`${module}.weight`, [size])]);
    const qkv = {
      "self_attn.q_proj": heads * headSize,
      "self_attn.k_proj": keyValueHeads * headSize,
      "self_attn.v_proj": keyValueHeads * headSize,
    };
    const attended = heads * headSize;
    const gateUp = { "mlp.gate_proj": F, "mlp.up_proj": F };
    return [
      norm("input_norm", "input_layernorm"),
      ...projections("qkv", qkv, { inputs: C, bias: biases.qkv }),
      ...(headNorms ? [norm("query_norm", "self_attn.q_norm", headSize)] : []),
      ...(headNorms ? [norm("key_norm", "self_attn.k_norm", headSize)] : []),
      ...projections("output", { "self_attn.o_proj": C }, { inputs: attended, bias: biases.output }),
      norm("feed_forward_norm", "post_attention_layernorm"),
      ...projections("gate_up", gateUp, { inputs: C, bias: biases.feedForward }),
      ...projections("down", { "mlp.down_proj": C }, { inputs: F, bias: biases.feedForward }),
    ];
  };
  return [
    table("embedding", { name: "model.embed_tokens.weight", shape: [V, C] }),
    ...Array.from({ length: config.layers }, (_, n) => layer(n)).flat(),
    vector("norm", [{ name: "model.norm.weight", shape: [C] }]),
    ...(config.tieWordEmbeddings ? [] : [matrix("head", [{ name: "lm_head.weight", shape: [V, C] }])]),
  ];
}

/** What all Llama-like models share. */
export function parseLlamaLike(
  config: Config,
  { name, family, keyValueHeads, headSize, vocabulary, intermediateSize, maxPositions, bos = 1, eos = 2 }: {
    name: string;
    family: FamilyName;
    keyValueHeads?: number;
    headSize?: number;
    vocabulary: number;
    intermediateSize: number;
    maxPositions: number;
    bos?: number | null;
    eos?: number | null;
  },
): ModelConfig {
  const sizes = parseHeads(config, {
    name,
    heads: 32,
    ...(keyValueHeads === undefined ? {} : { keyValueHeads }),
    ...(headSize === undefined ? {} : { headSize }),
  });
  return {
    family,
    ...parseVocabulary(config, { name, size: vocabulary, bos, eos }),
    ...sizes,
    intermediateSize: positiveInteger(config, "intermediate_size", { fallback: intermediateSize, name }),
    layers: positiveInteger(config, "num_hidden_layers", { fallback: 32, name }),
    maxPositions: positiveInteger(config, "max_position_embeddings", { fallback: maxPositions, name }),
    norm: "rms",
    normEpsilon: positiveNumber(config, "rms_norm_eps", { fallback: 1e-6, name }),
    headNorms: false,
    activation: "swiglu",
    biases: { qkv: false, output: false, feedForward: false },
    parallelResidual: false,
    positions: "rotary",
    rotated: sizes.headSize,
    ...parseRope(config, { name }),
    slidingWindow: null,
    windowedFrom: 0,
    transposed: false,
  };
}

/** Rotary frequencies that old files hold. */
const BUFFERS = ["rotary_emb.inv_freq"];

/** Llama 2 and 3; SmolLM and many others say `llama` too. */
export const llama: Family = {
  architecture: "LlamaForCausalLM",
  parse(config, { name }) {
    requireSupported(config, {
      name,
      values: { hidden_act: ["silu"], pretraining_tp: [1], partial_rotary_factor: [1] },
    });
    const attention = trueOrFalse(config, "attention_bias", { fallback: false, name });
    const feedForward = trueOrFalse(config, "mlp_bias", { fallback: false, name });
    return {
      ...parseLlamaLike(config, {
        name,
        family: "llama",
        vocabulary: 32_000,
        intermediateSize: 11_008,
        maxPositions: 2048,
      }),
      biases: { qkv: attention, output: attention, feedForward },
    };
  },
  parameters: llamaParameters,
  buffers: BUFFERS,
  prefix: "model.",
};

/** Mistral 7B and its kin. */
export const mistral: Family = {
  architecture: "MistralForCausalLM",
  parse(config, { name }) {
    requireSupported(config, { name, values: { hidden_act: ["silu"] } });
    return {
      ...parseLlamaLike(config, {
        name,
        family: "mistral",
        keyValueHeads: 8,
        vocabulary: 32_000,
        intermediateSize: 14_336,
        maxPositions: 4096 * 32,
      }),
      slidingWindow: parseWindow(config, { name, fallback: 4096 }),
    };
  },
  parameters: llamaParameters,
  buffers: BUFFERS,
  prefix: "model.",
};
