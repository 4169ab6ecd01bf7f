/**
 * Llama, Mistral and Qwen in GGUF: models whose tensors are named as Llama's are.
 *
 * @module
 */
import type { ModelConfig } from "../../config.ts";
import { parseModelConfig } from "../../families/mod.ts";
import { modelTensors } from "../../tensors.ts";
import { ropeInverseFrequencies } from "../rope.ts";
import type { DescribeFamily, TensorMapping } from "./family.ts";
import type { GgufMetadata } from "./format.ts";
import { pairRotaryRows } from "./rows.ts";

const OUTER_NAMES: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  "lm_head": "output",
};

const LAYER_NAMES: Readonly<Record<string, string>> = {
  "input_layernorm": "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  "self_attn.o_proj": "attn_output",
  "post_attention_layernorm": "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** llama.cpp's name of each family's architecture; of `llama` it rotates neighbouring channels, of others halves of a head. */
const ARCHITECTURES = { llama: "llama", mistral: "llama", qwen2: "qwen2", qwen3: "qwen3" } as const;

/** Describes a model whose tensors are named as Llama's are. */
export const describeLlama: DescribeFamily = (json, { name }) => {
  const { config, notes } = withinWindow(parseModelConfig(json, { name }));
  const architecture = ARCHITECTURES[config.family as keyof typeof ARCHITECTURES];
  const tensors = modelTensors(config).map(mapTensor);
  return {
    architecture,
    hyperparameters: hyperparameters(config),
    vocabularySize: config.vocabularySize,
    eosTokenIds: config.eosTokenIds,
    computed: config.ropeScaling?.type === "llama3"
      ? [{ target: "rope_freqs.weight", values: frequencyDivisors(config) }]
      : [],
    isBuffer: (tensor) =>
      tensor.endsWith("rotary_emb.inv_freq") || (config.tieWordEmbeddings && tensor === "lm_head.weight"),
    notes,
    tensors: architecture === "llama" ? tensors.map((tensor) => withPairedRows(tensor, config)) : tensors,
  };
};

/**
 * The config with its context limited to the sliding window, if it has one: llama.cpp's architectures for these
 * families let every token see all before it, which is the same within the window.
 */
function withinWindow(config: ModelConfig): { config: ModelConfig; notes: string[] } {
  const { slidingWindow: window, windowedFrom, layers, maxPositions } = config;
  if (window === null || windowedFrom >= layers || window >= maxPositions) return { config, notes: [] };
  return {
    config: { ...config, maxPositions: window },
    notes: [
      `llama.cpp knows no sliding window here: the context is given as ${window} tokens instead of ` +
      `${maxPositions}, within which both compute the same`,
    ],
  };
}

/** The mapping of a tensor; elements keep their order. */
function mapTensor({ name, shape }: { name: string; shape: readonly number[] }): TensorMapping {
  const [, layer, inLayer] = name.match(/^model\.layers\.(\d+)\.(.+)$/) ?? [];
  const [, part, kind] = (inLayer ?? name).match(/^(.+)\.(weight|bias)$/)!;
  const target = layer === undefined ? OUTER_NAMES[part!] : `blk.${layer}.${LAYER_NAMES[part!]}`;
  return { source: name, shape, target: `${target}.${kind}` };
}

function withPairedRows(mapping: TensorMapping, { headSize }: ModelConfig): TensorMapping {
  if (!/\.attn_[qk]\./.test(mapping.target)) return mapping;
  return { ...mapping, rearrangement: pairRotaryRows(mapping.shape, { headSize }) };
}

function hyperparameters(config: ModelConfig): GgufMetadata {
  const { ropeScaling: scaling } = config;
  return {
    "vocab_size": { uint32: config.vocabularySize },
    "context_length": { uint32: config.maxPositions },
    "embedding_length": { uint32: config.hiddenSize },
    "block_count": { uint32: config.layers },
    "feed_forward_length": { uint32: config.intermediateSize },
    "attention.head_count": { uint32: config.heads },
    "attention.head_count_kv": { uint32: config.keyValueHeads },
    "attention.key_length": { uint32: config.headSize },
    "attention.value_length": { uint32: config.headSize },
    "attention.layer_norm_rms_epsilon": { float32: config.normEpsilon },
    "rope.dimension_count": { uint32: config.headSize },
    "rope.freq_base": { float32: config.ropeTheta },
    ...(scaling?.type === "linear"
      ? { "rope.scaling.type": "linear", "rope.scaling.factor": { float32: scaling.factor } }
      : {}),
  };
}

/** What llama.cpp divides each rotary frequency by: f / f', f' after Llama 3's scaling. */
function frequencyDivisors(config: ModelConfig): Float32Array<ArrayBuffer> {
  const scaled = ropeInverseFrequencies(config);
  const plain = ropeInverseFrequencies({ ...config, ropeScaling: null });
  return Float32Array.from(plain, (frequency, i) => frequency / scaled[i]!);
}
