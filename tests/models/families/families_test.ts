import { assertEquals, assertThrows } from "@std/assert";
import { modelParameters, parseModelConfig } from "../../../models/families/mod.ts";
import { modelTensors } from "../../../models/tensors.ts";

const name = "config.json";
const parse = (config: Record<string, unknown>) => parseModelConfig(config, { name });

// Defaults: the signatures of MistralConfig, Qwen2Config, Qwen3Config, GPT2Config and GPTNeoXConfig in transformers 4.48
// and 4.51.
Deno.test("Mistral has a window by default, which null switches off", () => {
  const { keyValueHeads, intermediateSize, maxPositions, slidingWindow, windowedFrom } = parse({
    model_type: "mistral",
  });
  assertEquals([keyValueHeads, intermediateSize, maxPositions, slidingWindow, windowedFrom], [
    8,
    14_336,
    131_072,
    4096,
    0,
  ]);
  assertEquals(parse({ model_type: "mistral", sliding_window: null }).slidingWindow, null);
});

Deno.test("Qwen2 has biases on queries, keys and values, and windows only where they are switched on", () => {
  const config = parse({ model_type: "qwen2" });
  assertEquals(config.biases, { qkv: true, output: false, feedForward: false });
  assertEquals([config.vocabularySize, config.keyValueHeads, config.slidingWindow], [151_936, 32, null]);
  assertEquals([config.bosTokenId, config.eosTokenIds], [null, []]);
  const windowed = parse({ model_type: "qwen2", use_sliding_window: true, max_window_layers: 20 });
  assertEquals([windowed.slidingWindow, windowed.windowedFrom], [4096, 20]);
  assertEquals(parse({ model_type: "qwen2", sliding_window: 128 }).slidingWindow, null);
});

Deno.test("Qwen3 has heads of 128 and norms of them", () => {
  const config = parse({
    model_type: "qwen3",
    hidden_size: 1024,
    num_attention_heads: 16,
    num_key_value_heads: 8,
    num_hidden_layers: 1,
  });
  assertEquals([config.headSize, config.headNorms, config.biases.qkv], [128, true, false]);
  const names = modelTensors(config).map(({ name }) => name);
  assertEquals(names.filter((name) => /q_norm|k_norm/.test(name)), [
    "model.layers.0.self_attn.q_norm.weight",
    "model.layers.0.self_attn.k_norm.weight",
  ]);
});

Deno.test("GPT-2 has learned positions, tied embeddings, and matrices stored the other way round", () => {
  const config = parse({ model_type: "gpt2", n_layer: 1 });
  assertEquals([config.vocabularySize, config.hiddenSize, config.intermediateSize, config.maxPositions], [
    50_257,
    768,
    3072,
    1024,
  ]);
  assertEquals([config.activation, config.positions, config.tieWordEmbeddings], [
    "gelu_tanh",
    "learned",
    true,
  ]);
  const qkv = modelParameters(config).find(({ name }) => name === "layers.0.qkv")!;
  assertEquals([qkv.shape, qkv.transposed], [[768, 2304], true]);
});

Deno.test("GPT-NeoX rotates a quarter of each head, and its heads are unwoven", () => {
  const config = parse({
    model_type: "gpt_neox",
    hidden_size: 512,
    num_attention_heads: 8,
    num_hidden_layers: 1,
  });
  assertEquals([config.headSize, config.rotated, config.parallelResidual], [64, 16, true]);
  assertEquals([config.activation, config.bosTokenId, config.eosTokenIds], ["gelu", 0, [2]]);
  const newer = parse({
    model_type: "gpt_neox",
    hidden_size: 512,
    num_attention_heads: 8,
    rope_parameters: { rope_type: "default", rope_theta: 20_000, partial_rotary_factor: 0.5 },
  });
  assertEquals([newer.rotated, newer.ropeTheta], [32, 20_000]);
  assertEquals(parse({ model_type: "gpt_neox", rotary_emb_base: 5000 }).ropeTheta, 5000);
  const [part] = modelParameters(config).find(({ name }) => name === "layers.0.qkv")!.parts;
  // Head 1's query lies in rows 192 to 255 of the file, and after head 0's among the queries.
  assertEquals(part!.slices![3], { from: 192, to: 64, count: 64 });
  assertEquals(part!.slices![4], { from: 256, to: 512 + 64, count: 64 });
});

const refused: [config: Record<string, unknown>, message: string][] = [
  [
    { model_type: "mistral", hidden_act: "gelu" },
    'hidden_act is "gelu", which is not supported; only "silu" is',
  ],
  [{ model_type: "mistral", sliding_window: 0 }, "sliding_window is 0; give a positive integer"],
  [{ model_type: "qwen2", use_sliding_window: true, max_window_layers: -1 }, "max_window_layers is -1"],
  [
    { model_type: "gpt2", activation_function: "relu" },
    'activation_function is "relu", which is not supported',
  ],
  [{ model_type: "gpt2", scale_attn_by_inverse_layer_idx: true }, "scale_attn_by_inverse_layer_idx is true"],
  [{ model_type: "gpt2", add_cross_attention: true }, "add_cross_attention is true"],
  [{ model_type: "gpt2", n_embd: 100, n_head: 12 }, "n_embd 100 is not a multiple of n_head 12"],
  [{ model_type: "gpt_neox", rotary_pct: 0.35 }, "rotary_pct 0.35 of a head of 96 rotates 33 channels"],
  [{ model_type: "gpt_neox", rotary_pct: 2 }, "rotary_pct 2 of a head of 96 rotates 192 channels"],
  [
    { model_type: "gpt_neox", architectures: ["GPTNeoXModel"] },
    'architectures is ["GPTNeoXModel"], not supported',
  ],
  [
    { model_type: "gemma2" },
    "the supported ones are: llama (LlamaForCausalLM), mistral (MistralForCausalLM)",
  ],
];
for (const [config, message] of refused) {
  Deno.test(`parseModelConfig refuses ${JSON.stringify(config)}`, () => {
    assertThrows(() => parse(config), Error, message);
  });
}
