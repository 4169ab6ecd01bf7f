import { assert, assertEquals } from "@std/assert";
import { kernelCases, visiblePairs } from "../../bench/kernel_cases.ts";
import { packGroups } from "../../data/pack.ts";
import { parseModelConfig } from "../../models/families/mod.ts";

/** A prompt of 3 tokens with completions of 3 and 5, and one of 2 with a completion of 2. */
const groups = [
  { prompt: [1, 2, 3], completions: [[4, 5, 6], [7, 8, 9, 1, 2]] },
  { prompt: [1, 2], completions: [[3, 4]] },
];
const shape = { rows: 12, slots: 10, sequences: 3 };
const batch = packGroups(groups, { shape });

Deno.test("visiblePairs counts a prompt's rows, and a completion's rows over the prompt and itself", () => {
  // By hand. The first group: the prompt 1 + 2 + 3; two rows of the first completion 4 + 5, four of the second
  // 4 + 5 + 6 + 7. The second: 1 + 2, and one row 3.
  assertEquals(visiblePairs(batch), 6 + 9 + 22 + 3 + 3);
});

Deno.test("costs of kernels are those of their sizes", () => {
  const config = parseModelConfig({
    model_type: "llama",
    vocab_size: 20,
    hidden_size: 8,
    intermediate_size: 12,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
  }, { name: "test" });
  const sizes = { config, shape, batch, parameters: 1000 };
  const costs = Object.fromEntries(
    kernelCases.map(({ name, forward, backward }) => [name, [forward(sizes), backward?.(sizes)]]),
  );
  // By hand: two heads of 4, each pair of query and key 2 × 4 operations a product; rows of 16 in and 8 out.
  assertEquals(costs.attention, [
    { flops: 43 * 2 * 2 * 2 * 4, bytes: 4 * 12 * (16 + 8) },
    { flops: 43 * 2 * 5 * 2 * 4, bytes: 4 * 12 * 2 * (16 + 8) },
  ]);
  assertEquals(costs["rms norm"], [{ flops: 0, bytes: 4 * 12 * 16 }, { flops: 0, bytes: 4 * 12 * 24 }]);
  // Parameter, gradient and moments in; parameter and moments out.
  assertEquals(costs.adamw, [{ flops: 0, bytes: 4 * 7000 }, undefined]);
  for (const [forward, backward] of Object.values(costs)) assert(forward!.bytes > 0 && backward?.bytes !== 0);
});
