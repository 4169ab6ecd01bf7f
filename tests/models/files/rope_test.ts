import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { parseModelConfig } from "../../../models/families/mod.ts";
import { parseRope, ropeInverseFrequencies } from "../../../models/files/rope.ts";
import { readFixture } from "./fixtures.ts";

const name = "config.json";

Deno.test("ropeInverseFrequencies with llama3 scaling gives the fixture's", async () => {
  const config = parseModelConfig(await readFixture("llama3-rope/config.json"), { name });
  const { rotary_inv_freq: expected } = await readFixture("llama3-rope/expected.json");
  const frequencies = ropeInverseFrequencies(config);
  assertEquals(frequencies.length, 8);
  for (const [i, value] of (expected as number[]).entries()) {
    assertAlmostEquals(frequencies[i]!, value, 1e-14 * value);
  }
});

Deno.test("ropeInverseFrequencies without scaling is theta to the power -2i/d, and linear divides it", () => {
  const settings = { headSize: 8, ropeTheta: 500000 };
  const plain = ropeInverseFrequencies({ ...settings, ropeScaling: null });
  const linear = ropeInverseFrequencies({ ...settings, ropeScaling: { type: "linear", factor: 4 } });
  // 1 / 500000 ** (numpy.arange(0, 8, 2) / 8) in NumPy 1.24
  const expected = [1, 0.03760603093086393, 0.0014142135623730952, 5.318295896944989e-5];
  for (const [i, value] of expected.entries()) {
    assertAlmostEquals(plain[i]!, value, 1e-15);
    assertAlmostEquals(linear[i]!, value / 4, 1e-15);
  }
});

Deno.test("parseRope reads both styles of transformers alike", () => {
  const llama3 = {
    rope_type: "llama3",
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  const version4 = parseRope({ rope_theta: 500000, rope_scaling: llama3 }, { name });
  assertEquals(version4, {
    ropeTheta: 500000,
    ropeScaling: {
      type: "llama3",
      factor: 32,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 8192,
    },
  });
  assertEquals(parseRope({ rope_parameters: { ...llama3, rope_theta: 500000 } }, { name }), version4);
});

Deno.test("parseRope knows the default type, the older key `type` and the default theta", () => {
  const plain = { ropeTheta: 10000, ropeScaling: null };
  assertEquals(parseRope({}, { name }), plain);
  assertEquals(parseRope({ rope_scaling: null }, { name }), plain);
  assertEquals(parseRope({ rope_parameters: { rope_type: "default", rope_theta: 10000 } }, { name }), plain);
  const linear = parseRope({ rope_theta: 1e6, rope_scaling: { type: "linear", factor: 2 } }, { name });
  assertEquals(linear, { ropeTheta: 1e6, ropeScaling: { type: "linear", factor: 2 } });
});

const llama3 = { rope_type: "llama3", factor: 8, original_max_position_embeddings: 64 };
const refused: [what: string, config: Record<string, unknown>, message: string][] = [
  ["yarn", { rope_scaling: { rope_type: "yarn", factor: 2 } }, `rope_scaling: rope_type is "yarn"`],
  ["dynamic", { rope_parameters: { rope_type: "dynamic" } }, `rope_parameters: rope_type is "dynamic"`],
  ["no factor", { rope_scaling: { type: "linear" } }, "rope_scaling: factor is missing"],
  ["factor 0", { rope_scaling: { type: "linear", factor: 0 } }, "factor is 0; give a positive number"],
  ["a setting it would ignore", { rope_scaling: { type: "linear", factor: 2, mscale: 1 } }, "mscale is 1"],
  [
    "a partial rotation",
    { rope_parameters: { partial_rotary_factor: 0.25 } },
    "partial_rotary_factor is 0.25",
  ],
  ["both styles", { rope_scaling: { type: "linear" }, rope_parameters: {} }, "are both given"],
  [
    "two thetas",
    { rope_theta: 1, rope_parameters: { rope_theta: 2 } },
    "rope_theta 2 and rope_theta 1 outside",
  ],
  ["theta as text", { rope_theta: "10000" }, `rope_theta is "10000"`],
  ["a list", { rope_scaling: [] }, "rope_scaling is []; give an object or null"],
  [
    "equal factors",
    { rope_scaling: { ...llama3, low_freq_factor: 4, high_freq_factor: 4 } },
    "must be above",
  ],
];
for (const [what, config, message] of refused) {
  Deno.test(`parseRope refuses ${what}`, () => {
    assertThrows(() => parseRope(config, { name }), Error, message);
  });
}
