import { quickStartVocabulary } from "./tokenizer.ts";
import { BOS, EOS } from "./word_tokenizer.ts";

/** Returns the `config.json` of the quick start's model, about 150,000 parameters. */
export function quickStartModelConfig(): Record<string, unknown> {
  return smallModelConfig(quickStartVocabulary());
}

/**
 * Returns the `config.json` of a Llama small enough to train on a laptop's processor within a minute: three layers of
 * 64 channels.
 *
 * `initializer_range` is 1/√64, the scale at which a layer this narrow neither shrinks nor grows what passes through
 * it. The 0.02 of large models is far too small here: the model then takes many times as long to learn to copy a name.
 *
 * @param vocabulary Ids by token, from 0 on, with the two that begin and end a sequence.
 */
export function smallModelConfig(vocabulary: Readonly<Record<string, number>>): Record<string, unknown> {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: Object.keys(vocabulary).length,
    hidden_size: 64,
    intermediate_size: 176,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 16,
    hidden_act: "silu",
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    attention_bias: false,
    mlp_bias: false,
    initializer_range: 0.125,
    bos_token_id: vocabulary[BOS],
    eos_token_id: vocabulary[EOS],
    torch_dtype: "float32",
  };
}
