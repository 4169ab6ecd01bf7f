import { assertEquals, assertThrows } from "@std/assert";
import { parseModelConfig } from "../../../models/families/mod.ts";
import { readFixture } from "../files/fixtures.ts";

const name = "config.json";
const parse = (config: Record<string, unknown>) =>
  parseModelConfig({ model_type: "llama", ...config }, { name });

/** What every Llama is. */
const LLAMA = {
  family: "llama",
  norm: "rms",
  headNorms: false,
  activation: "swiglu",
  biases: { qkv: false, output: false, feedForward: false },
  parallelResidual: false,
  positions: "rotary",
  slidingWindow: null,
  windowedFrom: 0,
  transposed: false,
} as const;

Deno.test("parseModelConfig reads a whole config", async () => {
  assertEquals(parseModelConfig(await readFixture("llama3-rope/config.json"), { name }), {
    ...LLAMA,
    rotated: 16,
    vocabularySize: 101,
    hiddenSize: 32,
    intermediateSize: 64,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    headSize: 16,
    maxPositions: 512,
    normEpsilon: 1e-5,
    ropeTheta: 10000,
    ropeScaling: {
      type: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 64,
    },
    tieWordEmbeddings: true,
    bosTokenId: 1,
    eosTokenIds: [2],
  });
});

// The signature of `LlamaConfig.__init__` in transformers 4.48.
Deno.test("parseModelConfig has the defaults of transformers' LlamaConfig", () => {
  assertEquals(parse({}), {
    ...LLAMA,
    rotated: 128,
    vocabularySize: 32000,
    hiddenSize: 4096,
    intermediateSize: 11008,
    layers: 32,
    heads: 32,
    keyValueHeads: 32,
    headSize: 128,
    maxPositions: 2048,
    normEpsilon: 1e-6,
    ropeTheta: 10000,
    ropeScaling: null,
    tieWordEmbeddings: false,
    bosTokenId: 1,
    eosTokenIds: [2],
  });
});

Deno.test("parseModelConfig takes null for the keys that transformers derives", () => {
  const config = parse({
    hidden_size: 64,
    num_attention_heads: 4,
    num_key_value_heads: null,
    head_dim: null,
  });
  assertEquals([config.keyValueHeads, config.headSize], [4, 16]);
});

Deno.test("parseModelConfig takes several end tokens, and none", () => {
  assertEquals(parse({ eos_token_id: [128001, 128009] }).eosTokenIds, [128001, 128009]);
  const none = parse({ eos_token_id: null, bos_token_id: null });
  assertEquals([none.eosTokenIds, none.bosTokenId], [[], null]);
});

Deno.test("parseModelConfig takes unsupported features that are switched off", () => {
  const off = { attention_bias: false, mlp_bias: false, hidden_act: "silu", quantization_config: null };
  assertEquals(parse(off), parse({}));
});

const refused: [config: Record<string, unknown>, message: string][] = [
  [
    { model_type: "mamba" },
    `model_type is "mamba", an architecture not supported; the supported ones are: llama`,
  ],
  [{ model_type: undefined }, "model_type is undefined"],
  [
    { architectures: ["LlamaForSequenceClassification"] },
    `architectures is ["LlamaForSequenceClassification"]`,
  ],
  [{ attention_bias: 1 }, "config.json: attention_bias is 1; give true or false"],
  [{ hidden_act: "gelu" }, `hidden_act is "gelu", which is not supported; only "silu" is`],
  [{ pretraining_tp: 2 }, "pretraining_tp is 2"],
  [{ quantization_config: { bits: 4 } }, `quantization_config is {"bits":4}`],
  [{ partial_rotary_factor: 0.5 }, "partial_rotary_factor is 0.5"],
  [{ rope_scaling: { rope_type: "yarn" } }, `rope_type is "yarn"`],
  [
    { num_attention_heads: 6, num_key_value_heads: 4, head_dim: 8 },
    "6 is not a multiple of num_key_value_heads 4",
  ],
  [{ hidden_size: 30, num_attention_heads: 4 }, "hidden_size 30 is not a multiple of num_attention_heads 4"],
  [{ head_dim: 7 }, "the head size is 7; rotary embeddings need an even one"],
  [{ vocab_size: "32000" }, `vocab_size is "32000"; give a positive integer`],
  [{ num_hidden_layers: 0 }, "num_hidden_layers is 0"],
  [{ hidden_size: null }, "hidden_size is null"],
  [{ rms_norm_eps: -1 }, "rms_norm_eps is -1; give a positive number"],
  [{ tie_word_embeddings: 1 }, "tie_word_embeddings is 1; give true or false"],
  [{ eos_token_id: "</s>" }, `eos_token_id is "</s>"; give a token id or a list of them`],
];
for (const [config, message] of refused) {
  Deno.test(`parseModelConfig refuses ${JSON.stringify(config)}`, () => {
    assertThrows(() => parse(config), Error, message);
  });
}
