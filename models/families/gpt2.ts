/** GPT-2: LayerNorm, learned positions, GELU, biases everywhere, matrices stored [inputs, outputs]. */
import type { ModelConfig } from "../config.ts";
import { optional, positiveInteger, positiveNumber } from "../files/config_values.ts";
import { matrix, type ModelParameter, table, vector } from "../parameters.ts";
import type { Family } from "./family.ts";
import { parseVocabulary, requireSupported } from "./parse.ts";

const END_OF_TEXT = 50_256;

/** PyTorch's names of GELU in configs. */
const ACTIVATIONS = { gelu_new: "gelu_tanh", gelu_pytorch_tanh: "gelu_tanh", gelu: "gelu" } as const;

function parameters(config: ModelConfig): ModelParameter[] {
  const { vocabularySize: V, hiddenSize: C, intermediateSize: F, maxPositions: T } = config;
  const at = (name: string, shape: number[]) => [{ name: `transformer.${name}`, shape }];
  const layer = (n: number): ModelParameter[] => {
    const norm = (name: string, module: string) => [
      vector(`layers.${n}.${name}`, at(`h.${n}.${module}.weight`, [C])),
      vector(`layers.${n}.${name}.bias`, at(`h.${n}.${module}.bias`, [C])),
    ];
    const linear = (name: string, module: string, [inputs, outputs]: [number, number]) => [
      {
        ...matrix(`layers.${n}.${name}`, at(`h.${n}.${module}.weight`, [inputs, outputs])),
        transposed: true,
      },
      vector(`layers.${n}.${name}.bias`, at(`h.${n}.${module}.bias`, [outputs])),
    ];
    return [
      ...norm("input_norm", "ln_1"),
      ...linear("qkv", "attn.c_attn", [C, 3 * C]),
      ...linear("output", "attn.c_proj", [C, C]),
      ...norm("feed_forward_norm", "ln_2"),
      ...linear("up", "mlp.c_fc", [C, F]),
      ...linear("down", "mlp.c_proj", [F, C]),
    ];
  };
  return [
    table("embedding", at("wte.weight", [V, C])[0]!),
    table("positions", at("wpe.weight", [T, C])[0]!),
    ...Array.from({ length: config.layers }, (_, n) => layer(n)).flat(),
    vector("norm", at("ln_f.weight", [C])),
    vector("norm.bias", at("ln_f.bias", [C])),
    ...(config.tieWordEmbeddings ? [] : [matrix("head", [{ name: "lm_head.weight", shape: [V, C] }])]),
  ];
}

/** GPT-2 and DistilGPT-2. */
export const gpt2: Family = {
  architecture: "GPT2LMHeadModel",
  parse(config, { name }) {
    requireSupported(config, {
      name,
      values: {
        activation_function: Object.keys(ACTIVATIONS),
        scale_attn_weights: [true],
        scale_attn_by_inverse_layer_idx: [false],
        add_cross_attention: [false],
      },
    });
    const hiddenSize = positiveInteger(config, "n_embd", { fallback: 768, name });
    const heads = positiveInteger(config, "n_head", { fallback: 12, name });
    if (hiddenSize % heads !== 0) {
      throw new Error(`${name}: n_embd ${hiddenSize} is not a multiple of n_head ${heads}`);
    }
    const activation = (config.activation_function ?? "gelu_new") as keyof typeof ACTIVATIONS;
    return {
      family: "gpt2",
      ...parseVocabulary(config, { name, size: 50_257, tied: true, bos: END_OF_TEXT, eos: END_OF_TEXT }),
      hiddenSize,
      heads,
      keyValueHeads: heads,
      headSize: hiddenSize / heads,
      intermediateSize: positiveInteger(optional(config, "n_inner"), "n_inner", {
        fallback: 4 * hiddenSize,
        name,
      }),
      layers: positiveInteger(config, "n_layer", { fallback: 12, name }),
      maxPositions: positiveInteger(config, "n_positions", { fallback: 1024, name }),
      norm: "layer",
      normEpsilon: positiveNumber(config, "layer_norm_epsilon", { fallback: 1e-5, name }),
      headNorms: false,
      activation: ACTIVATIONS[activation],
      biases: { qkv: true, output: true, feedForward: true },
      parallelResidual: false,
      positions: "learned",
      rotated: 0,
      ropeTheta: 10_000,
      ropeScaling: null,
      slidingWindow: null,
      windowedFrom: 0,
      transposed: true,
    };
  },
  parameters,
  buffers: [".attn.bias", ".attn.masked_bias"],
  prefix: "transformer.",
};
