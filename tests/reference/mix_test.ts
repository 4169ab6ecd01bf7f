import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { mixReference } from "../../reference/mix.ts";

Deno.test("mixReference copies exactly at the ends", () => {
  const reference = Float32Array.of(0.1, -3e-8, 7);
  const policy = Float32Array.of(0.7, 1e8, -0.3);
  assertEquals(mixReference(reference, policy, { alpha: 0 }), reference);
  assertEquals(mixReference(reference, policy, { alpha: 1 }), policy);
});

Deno.test("mixReference leaves its arguments alone and keeps the reference's type", () => {
  const reference = Float64Array.of(1, 2);
  const policy = Float32Array.of(3, 6);
  assertEquals(mixReference(reference, policy, { alpha: 0.5 }), Float64Array.of(2, 4));
  assertEquals([reference, policy], [Float64Array.of(1, 2), Float32Array.of(3, 6)]);
});

Deno.test("mixReference repeated approaches a fixed policy as 1 - (1 - alpha)^k", () => {
  let reference = Float64Array.of(0);
  for (let k = 0; k < 5; k++) reference = mixReference(reference, Float64Array.of(1), { alpha: 0.6 });
  assertAlmostEquals(reference[0]!, 1 - 0.4 ** 5, 1e-15);
});

Deno.test("mixReference rejects arrays of different models and alpha outside [0, 1]", () => {
  assertThrows(
    () => mixReference(new Float32Array(3), new Float32Array(4), { alpha: 0.5 }),
    RangeError,
    "the reference has 3 parameters and the policy 4",
  );
  for (const alpha of [-0.1, 1.1, NaN]) {
    assertThrows(
      () => mixReference(new Float32Array(1), new Float32Array(1), { alpha }),
      RangeError,
      `got ${alpha}`,
    );
  }
});
