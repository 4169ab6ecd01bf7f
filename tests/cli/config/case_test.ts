import { assertEquals } from "@std/assert";
import { toCamelKeys, toSnakeKeys } from "../../../cli/config/case.ts";

Deno.test("toCamelKeys renames keys at any depth and leaves values", () => {
  const camel: { maxLength: number; adamBetas: [number, number]; loss: { labelSmoothing: string }[] } =
    toCamelKeys({
      max_length: 1,
      adam_betas: [0.9, 0.99] as [number, number],
      loss: [{ label_smoothing: "keep_end" }],
    });
  assertEquals(camel, { maxLength: 1, adamBetas: [0.9, 0.99], loss: [{ labelSmoothing: "keep_end" }] });
});

Deno.test("toSnakeKeys undoes toCamelKeys", () => {
  const snake = { max_grad_norm: null, a: { top_k: 3, list: [{ every_n: "camelCase" }] } };
  assertEquals(toSnakeKeys(toCamelKeys(snake)), snake);
});
