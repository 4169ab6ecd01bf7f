/** Weights in the format of llama2.c. */
import type { TensorSource } from "@tr/align/models";

const HEADER_INTEGERS = 7;

/** The `config.json` of a model of llama2.c. */
export type Llama2cConfig = ReturnType<typeof configOf>;

/**
 * Reads a file of llama2.c's first format: seven integers, then float32 tensors, all layers of a kind together.
 *
 * llama2.c pairs neighbouring channels in its rotary embeddings, Hugging Face channel i with i + D/2: the rows of
 * query and key projections are put in that order.
 *
 * @throws {Error} if the number of bytes is not that of the sizes in the header
 */
export function readLlama2c(
  bytes: Uint8Array<ArrayBuffer>,
): { config: Llama2cConfig; tensors: TensorSource[] } {
  const header = new Int32Array(bytes.slice(0, 4 * HEADER_INTEGERS).buffer);
  const [channels, inner, layers, heads, keyValueHeads, signedVocabulary, positions] = header as unknown as [
    ...[number, number, number, number, number, number, number],
  ];
  const isTied = signedVocabulary > 0; // a negative size says that the output layer has weights of its own
  const vocabulary = Math.abs(signedVocabulary);
  const headSize = channels / heads;
  const keyRows = keyValueHeads * headSize;
  const kinds: [name: string, count: number, shape: number[]][] = [
    ["model.embed_tokens.weight", 1, [vocabulary, channels]],
    ["input_layernorm.weight", layers, [channels]],
    ["self_attn.q_proj.weight", layers, [channels, channels]],
    ["self_attn.k_proj.weight", layers, [keyRows, channels]],
    ["self_attn.v_proj.weight", layers, [keyRows, channels]],
    ["self_attn.o_proj.weight", layers, [channels, channels]],
    ["post_attention_layernorm.weight", layers, [channels]],
    ["mlp.gate_proj.weight", layers, [inner, channels]],
    ["mlp.down_proj.weight", layers, [channels, inner]],
    ["mlp.up_proj.weight", layers, [inner, channels]],
    ["model.norm.weight", 1, [channels]],
    ["rotary tables", 1, [positions, headSize]], // follow from the config
    ...(isTied ? [] : [["lm_head.weight", 1, [vocabulary, channels]] as [string, number, number[]]]),
  ];
  const tensors: TensorSource[] = [];
  let position = header.byteLength;
  for (const [kind, count, shape] of kinds) {
    const size = shape.reduce((a, b) => a * b, 1);
    for (let layer = 0; layer < count; layer++, position += 4 * size) {
      const name = kind.startsWith("model.") || count === 1 ? kind : `model.layers.${layer}.${kind}`;
      const isRotary = /\.[qk]_proj\./.test(name);
      const at = position;
      const load = () => {
        const values = new Float32Array(bytes.slice(at, at + 4 * size).buffer);
        return isRotary ? separateHalves(values, { headSize, rowSize: channels }) : values;
      };
      const read = (offset: number, length: number) => Promise.resolve(load().slice(offset, offset + length));
      if (kind !== "rotary tables") tensors.push({ name, shape, read });
    }
  }
  if (position !== bytes.length) {
    throw new Error(`a file with this header has ${position} bytes, not ${bytes.length}; fetch it again`);
  }
  const config = configOf({ channels, inner, layers, heads, keyValueHeads, vocabulary, positions, isTied });
  return { config, tensors };
}

/** Row 2i + s of each head, s = 0, 1, becomes its row i + s · D/2. */
function separateHalves(
  values: Float32Array<ArrayBuffer>,
  { headSize, rowSize }: { headSize: number; rowSize: number },
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let row = 0; row < values.length / rowSize; row++) {
    const [head, within] = [Math.floor(row / headSize), row % headSize];
    const target = head * headSize + Math.floor(within / 2) + (within % 2) * headSize / 2;
    result.set(values.subarray(row * rowSize, (row + 1) * rowSize), target * rowSize);
  }
  return result;
}

interface Sizes {
  channels: number;
  inner: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  vocabulary: number;
  positions: number;
  isTied: boolean;
}

function configOf(sizes: Sizes) {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: sizes.vocabulary,
    hidden_size: sizes.channels,
    intermediate_size: sizes.inner,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.keyValueHeads,
    max_position_embeddings: sizes.positions,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: "silu",
    tie_word_embeddings: sizes.isTied,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: 1,
    eos_token_id: 2,
  };
}
