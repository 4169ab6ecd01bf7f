import { assertEquals, assertThrows } from "@std/assert";
import type { ModelConfig } from "../../models/config.ts";
import { openModelDirectory } from "../../models/files/directory.ts";
import { parseModelConfig } from "../../models/families/mod.ts";
import { checkTensors, modelTensors, type TensorShape } from "../../models/tensors.ts";
import { fixturePath } from "./files/fixtures.ts";

const name = "model";
const tiny = {
  model_type: "llama",
  vocab_size: 10,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
};
const tied = parseModelConfig({ ...tiny, tie_word_embeddings: true }, { name });
const untied = parseModelConfig(tiny, { name });
const asFound = (config: ModelConfig) =>
  new Map<string, Pick<TensorShape, "shape">>(
    modelTensors(config).map(({ name, shape }) => [name, { shape }]),
  );

for (
  const fixture of [
    "llama-gqa",
    "llama-gqa-bf16",
    "llama-gqa-sharded",
    "llama3-rope",
    "mistral",
    "qwen2",
    "gpt2",
    "gpt_neox",
  ]
) {
  Deno.test(`modelTensors names and shapes every tensor of ${fixture}`, async () => {
    using model = await openModelDirectory(fixturePath(fixture));
    const config = parseModelConfig(model.config, { name: fixture });
    checkTensors(config, model.tensors, { name: fixture });
    assertEquals(modelTensors(config).length, model.tensors.size);
  });
}

Deno.test("checkTensors names missing tensors", () => {
  const found = asFound(untied);
  found.delete("model.norm.weight");
  assertThrows(
    () => checkTensors(untied, found, { name }),
    Error,
    "model: model.norm.weight is missing; fetch",
  );
  const message = "model.embed_tokens.weight, model.layers.0.input_layernorm.weight, " +
    "model.layers.0.self_attn.q_proj.weight and 9 more are missing";
  assertThrows(() => checkTensors(untied, new Map(), { name }), Error, message);
});

Deno.test("checkTensors says what a missing lm_head.weight may mean", () => {
  assertThrows(() => checkTensors(untied, asFound(tied), { name }), Error, "set tie_word_embeddings to true");
});

Deno.test("checkTensors allows an lm_head.weight in a tied model, and rotary buffers", () => {
  const found = asFound(untied);
  found.set("model.layers.0.self_attn.rotary_emb.inv_freq", { shape: [2] });
  checkTensors(tied, found, { name });
});

Deno.test("checkTensors names unexpected tensors", () => {
  const found = asFound(untied);
  found.set("model.layers.0.self_attn.q_proj.bias", { shape: [8] });
  assertThrows(
    () => checkTensors(untied, found, { name }),
    Error,
    "model.layers.0.self_attn.q_proj.bias is not part of the model",
  );
});

Deno.test("checkTensors compares sizes, and tells a vocabulary mismatch from others", () => {
  const found = asFound(untied).set("model.embed_tokens.weight", { shape: [12, 8] });
  assertThrows(
    () => checkTensors(untied, found, { name }),
    Error,
    "vocab_size is 10 in config.json, but model.embed_tokens.weight has 12 rows",
  );
  const narrow = asFound(untied).set("model.norm.weight", { shape: [4] });
  assertThrows(() => checkTensors(untied, narrow, { name }), Error, "model.norm.weight is [4], but");
});

Deno.test("checkTensors allows what files of a family hold besides: masks and frequencies", async () => {
  using model = await openModelDirectory(fixturePath("gpt_neox-hub-buffers"));
  const config = parseModelConfig(model.config, { name });
  checkTensors(config, model.tensors, { name });
  assertEquals(model.tensors.size > modelTensors(config).length, true);
});
