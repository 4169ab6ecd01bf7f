/**
 * Qwen 2 and 2.5 in GGUF: Llama's layout with biases on queries, keys and values, and rotary embeddings that turn
 * the halves of a head as Hugging Face does.
 *
 * @module
 */
import type { Config } from "../config_values.ts";
import { llamaTensors, type TensorShape } from "../llama_tensors.ts";
import type { DescribeFamily } from "./family.ts";
import { asLlama, describeLlamaLike, mapLlamaTensor, withinWindow } from "./llama.ts";

// Defaults of transformers' Qwen2Config where they differ from LlamaConfig's.
const DEFAULTS: Config = {
  vocab_size: 151936,
  intermediate_size: 22016,
  num_key_value_heads: 32,
  max_position_embeddings: 32768,
  bos_token_id: null,
  eos_token_id: null,
};

/** Describes a Qwen 2 model. */
export const describeQwen2: DescribeFamily = (json, { name }) => {
  const full = { ...DEFAULTS, ...json };
  const window = full.use_sliding_window === true ? full : {};
  const { config, notes } = withinWindow(asLlama(full, { architecture: "Qwen2ForCausalLM", name }), window);
  return {
    ...describeLlamaLike(config, "qwen2"),
    notes,
    tensors: llamaTensors(config).flatMap(withBias).map(mapLlamaTensor),
  };
};

function withBias({ name, shape }: TensorShape): TensorShape[] {
  if (!/self_attn\.[qkv]_proj\.weight$/.test(name)) return [{ name, shape }];
  return [{ name, shape }, { name: name.replace(/weight$/, "bias"), shape: [shape[0]!] }];
}
