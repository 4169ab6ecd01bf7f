import { assertEquals, assertThrows } from "@std/assert";
import { parseModelConfig } from "../../../models/families/mod.ts";
import { modelParameters } from "../../../models/families/mod.ts";
import { adapterSpecs, countTrained, layoutAdapters } from "../../../models/lora/layout.ts";

const config = parseModelConfig({
  model_type: "llama",
  vocab_size: 64,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
}, { name: "config.json" });
const parameters = modelParameters(config);

Deno.test("the adapters of a fused weight share A's rows, at the largest rank rounded up to 4", () => {
  const { weights, specs } = layoutAdapters(parameters, {
    rank: 2,
    alpha: 4,
    targets: ["q_proj", "v_proj"],
    rankPattern: { v_proj: 5 },
    layers: [1],
  });
  assertEquals(weights, [{
    name: "layers.1.qkv",
    rank: 8,
    layers: [
      { name: "model.layers.1.self_attn.q_proj", shape: [32, 32], start: 0, rank: 2, scale: 2 },
      { name: "model.layers.1.self_attn.v_proj", shape: [16, 32], start: 48, rank: 5, scale: 4 / 5 },
    ],
  }]);
  assertEquals(specs, [
    { name: "layers.1.qkv.lora_A", shape: [16, 32] },
    { name: "layers.1.qkv.lora_B.0", shape: [32, 8] },
    { name: "layers.1.qkv.lora_B.1", shape: [16, 8] },
  ]);
  assertEquals(adapterSpecs(weights, 3)[1], { name: "layers.1.qkv.lora_B.0", shape: [32, 24] });
});

Deno.test("countTrained counts what PEFT would train: r (inputs + outputs) of each layer", () => {
  const layout = layoutAdapters(parameters, { rank: 3, alpha: 3, targets: "all-linear" });
  // q 32+32, k and v 32+16, o 32+32, gate and up 32+48, down 48+32; two blocks
  assertEquals(countTrained(layout), 3 * 2 * (64 + 48 + 48 + 64 + 80 + 80 + 80));
});

Deno.test("layoutAdapters refuses a target that names nothing, and settings that train nothing", () => {
  const layout = (changes: object) => () =>
    layoutAdapters(parameters, { rank: 2, alpha: 4, targets: ["q_proj"], ...changes });
  assertThrows(
    layout({ targets: ["q_proj", "query"] }),
    Error,
    "LoRA: the target query is no linear layer of this model; it has q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head",
  );
  assertThrows(layout({ targets: ["embed_tokens"] }), Error, "the target embed_tokens is no linear layer");
  assertThrows(layout({ layers: [7] }), Error, "LoRA: no layer is left to train");
  assertThrows(layout({ alpha: 0 }), RangeError, "LoRA: alpha must be a finite number above 0, got 0");
  assertThrows(
    layout({ rankPattern: { q_proj: 1.5 } }),
    RangeError,
    "rank_pattern of q_proj must be a whole number",
  );
});
