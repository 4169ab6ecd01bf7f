/**
 * Llama and Mistral in GGUF: llama.cpp's architecture `llama`, with rotary embeddings of neighbouring channels.
 *
 * @module
 */
import type { Config } from "../config_values.ts";
import { type LlamaConfig, parseLlamaConfig } from "../llama_config.ts";
import { llamaTensors } from "../llama_tensors.ts";
import { ropeInverseFrequencies } from "../rope.ts";
import type { DescribeFamily, GgufModel, TensorMapping } from "./family.ts";
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
  "self_attn.o_proj": "attn_output",
  "post_attention_layernorm": "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** Describes a Llama model. */
export const describeLlama: DescribeFamily = (json, { name }) => {
  const config = parseLlamaConfig(json, { name });
  return {
    ...describeLlamaLike(config, "llama"),
    tensors: llamaTensors(config).map((tensor) => withPairedRows(mapLlamaTensor(tensor), config)),
  };
};

// Defaults of transformers' MistralConfig where they differ from LlamaConfig's.
const MISTRAL_DEFAULTS: Config = {
  intermediate_size: 14336,
  num_key_value_heads: 8,
  max_position_embeddings: 4096 * 32,
  sliding_window: 4096,
};

/** Describes a Mistral model, which computes what Llama does within its sliding window. */
export const describeMistral: DescribeFamily = (json, { name }) => {
  const full = { ...MISTRAL_DEFAULTS, ...json };
  const { config, notes } = withinWindow(asLlama(full, { architecture: "MistralForCausalLM", name }), full);
  return {
    ...describeLlamaLike(config, "llama"),
    notes,
    tensors: llamaTensors(config).map((tensor) => withPairedRows(mapLlamaTensor(tensor), config)),
  };
};

/** Everything but the tensors of a model that has a Llama config. */
export function describeLlamaLike(
  config: LlamaConfig,
  architecture: string,
): Omit<GgufModel, "tensors"> {
  return {
    architecture,
    hyperparameters: llamaHyperparameters(config),
    vocabularySize: config.vocabularySize,
    eosTokenIds: config.eosTokenIds,
    computed: config.ropeScaling?.type === "llama3"
      ? [{ target: "rope_freqs.weight", values: frequencyDivisors(config) }]
      : [],
    isBuffer: (tensor) =>
      tensor.endsWith("rotary_emb.inv_freq") || (config.tieWordEmbeddings && tensor === "lm_head.weight"),
    notes: [],
  };
}

/** Reads the config of a family that has Llama's keys; `architecture` is the one class it may name. */
export function asLlama(
  json: Config,
  { architecture, name }: { architecture: string; name: string },
): LlamaConfig {
  const { architectures = null } = json;
  const isKnown = architectures === null ||
    (Array.isArray(architectures) && architectures.includes(architecture));
  if (!isKnown) {
    throw new Error(
      `${name}: architectures is ${JSON.stringify(architectures)}, not supported; only ${architecture} is`,
    );
  }
  return parseLlamaConfig({ ...json, model_type: "llama", architectures: null }, { name });
}

/**
 * The config with its context limited to the sliding window, if it has one: llama.cpp's architectures for these
 * families let every token see all before it, which is the same within the window.
 */
export function withinWindow(config: LlamaConfig, json: Config): { config: LlamaConfig; notes: string[] } {
  const window = json.sliding_window;
  if (typeof window !== "number" || window >= config.maxPositions) return { config, notes: [] };
  return {
    config: { ...config, maxPositions: window },
    notes: [
      `llama.cpp knows no sliding window here: the context is given as ${window} tokens instead of ` +
      `${config.maxPositions}, within which both compute the same`,
    ],
  };
}

/** The mapping of a tensor that is named as Llama's are; elements keep their order. */
export function mapLlamaTensor({ name, shape }: { name: string; shape: readonly number[] }): TensorMapping {
  const [, layer, inLayer] = name.match(/^model\.layers\.(\d+)\.(.+)$/) ?? [];
  const [, part, kind] = (inLayer ?? name).match(/^(.+)\.(weight|bias)$/)!;
  const target = layer === undefined ? OUTER_NAMES[part!] : `blk.${layer}.${LAYER_NAMES[part!]}`;
  return { source: name, shape, target: `${target}.${kind}` };
}

function withPairedRows(mapping: TensorMapping, { headSize }: LlamaConfig): TensorMapping {
  if (!/\.attn_[qk]\./.test(mapping.target)) return mapping;
  return { ...mapping, rearrangement: pairRotaryRows(mapping.shape, { headSize }) };
}

function llamaHyperparameters(config: LlamaConfig): GgufMetadata {
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
    "attention.layer_norm_rms_epsilon": { float32: config.rmsNormEpsilon },
    "rope.dimension_count": { uint32: config.headSize },
    "rope.freq_base": { float32: config.ropeTheta },
    ...(scaling?.type === "linear"
      ? { "rope.scaling.type": "linear", "rope.scaling.factor": { float32: scaling.factor } }
      : {}),
  };
}

/** What llama.cpp divides each rotary frequency by: f / f', f' after Llama 3's scaling. */
function frequencyDivisors(config: LlamaConfig): Float32Array<ArrayBuffer> {
  const scaled = ropeInverseFrequencies(config);
  const plain = ropeInverseFrequencies({ ...config, ropeScaling: null });
  return Float32Array.from(plain, (frequency, i) => frequency / scaled[i]!);
}
