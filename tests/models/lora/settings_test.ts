import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { isTarget, type LoraSettings, scaleOf } from "../../../models/lora/settings.ts";

const layer = "model.layers.3.self_attn.q_proj";
const settings = (changes: Partial<LoraSettings>): LoraSettings => ({
  rank: 8,
  alpha: 16,
  targets: ["q_proj"],
  ...changes,
});

// Expectations follow PEFT's documentation of LoraConfig: exact names and suffixes in lists, whole matches of a string.
Deno.test("a target in a list is a layer's whole name or what follows a dot in it", () => {
  assert(isTarget(layer, settings({})));
  assert(isTarget(layer, settings({ targets: ["self_attn.q_proj"] })));
  assert(isTarget(layer, settings({ targets: [layer] })));
  assert(!isTarget(layer, settings({ targets: ["proj"] })));
  assert(!isTarget(layer, settings({ targets: [".*q_proj"] })));
});

Deno.test("a string is a regular expression that matches the whole name", () => {
  assert(isTarget(layer, settings({ targets: ".*\\.(q|v)_proj" })));
  assert(isTarget(layer, settings({ targets: "model\\.layers\\.[23]\\..*" })));
  assert(!isTarget(layer, settings({ targets: "q_proj" })));
  assertThrows(() => isTarget(layer, settings({ targets: "(" })), Error, "( is not a regular expression");
});

Deno.test("all-linear is everything but the head; exclude and layers take away", () => {
  const all = settings({ targets: "all-linear" });
  assert(isTarget(layer, all));
  assert(!isTarget("lm_head", all));
  assert(isTarget("lm_head", settings({ targets: ["lm_head"] })));
  assert(!isTarget(layer, { ...all, exclude: ["q_proj"] }));
  assert(!isTarget(layer, { ...all, exclude: ".*layers\\.3\\..*" }));
  assert(isTarget(layer, { ...all, layers: [1, 3] }));
  assert(!isTarget(layer, { ...all, layers: [1, 2] }));
});

Deno.test("the scale is α / r, with rsLoRA α / √r, and patterns match the end of a name", () => {
  assertEquals(scaleOf(layer, settings({})), { rank: 8, scale: 2 });
  assertAlmostEquals(scaleOf(layer, settings({ rsLora: true })).scale, 16 / Math.sqrt(8));
  const patterns = settings({ rankPattern: { q_proj: 4 }, alphaPattern: { "layers\\.3\\..*": 2 } });
  assertEquals(scaleOf(layer, patterns), { rank: 4, scale: 0.5 });
  assertEquals(scaleOf("model.layers.2.self_attn.k_proj", patterns), { rank: 8, scale: 2 });
  assertEquals(scaleOf(layer, settings({ rankPattern: { proj: 4 } })).rank, 8);
});
