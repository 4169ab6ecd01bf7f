import { assertEquals, assertThrows } from "@std/assert";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { headNorm } from "../../kernels/head_norm.ts";
import {
  assertClose,
  filled,
  filledInput,
  randomValues,
  runOnce,
  testDevice,
  testDevices,
  watchGradient,
} from "./harness.ts";
import { headNorm as reference, headNormGradients } from "./references/head_norm.ts";
import { plus } from "./references/matmul.ts";

const device = await testDevice();
const epsilon = 1e-6;

/** Float32 sums over at most 128 channels, or 70 rows of 4 heads. */
const TOLERANCE = 2e-6;

for (const [kind, device] of Object.entries(await testDevices())) {
  // [rows, heads, keyValueHeads, headSize]: several blocks of rows; as many keys as queries; a wide head.
  for (
    const [rows, heads, keyValueHeads, headSize] of [[70, 4, 2, 12], [3, 1, 1, 4], [5, 3, 1, 128]] as const
  ) {
    const shape = `[${rows}, (${heads} + 2 · ${keyValueHeads}) · ${headSize}]`;
    Deno.test(`headNorm as chosen for ${kind} adapters over ${shape} and its gradients are the float64 ones`, async () => {
      const width = (heads + 2 * keyValueHeads) * headSize;
      const x = randomValues(rows * width, { seed: 1, scale: 3 });
      const gradient = randomValues(rows * width, { seed: 2 });
      const [queryWeight, keyWeight, before] = [3, 4, 5].map((seed) => randomValues(headSize, { seed })) as [
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
        Float32Array<ArrayBuffer>,
      ];
      const graph = createGraph(device);
      const tensor = filled(device, x, { shape: [rows, width] });
      watchGradient(graph, tensor, "dx");
      const vector = (values: Float32Array<ArrayBuffer>) => filled(device, values, { shape: [headSize] });
      const [dq, dk] = [vector(before), vector(before)];
      const y = headNorm(graph, tensor, {
        queryWeight: filled(device, queryWeight, { shape: [headSize], gradient: dq }),
        keyWeight: filled(device, keyWeight, { shape: [headSize], gradient: dk }),
        heads,
        keyValueHeads,
        headSize,
        epsilon,
      });
      const dy = filledInput(graph, "dy", { values: gradient, shape: [rows, width], dtype: "f32" });
      backward(graph, new Map([[y, dy]]));
      output(graph, "y", y);
      output(graph, "dq", dq);
      output(graph, "dk", dk);
      const results = await runOnce(graph);
      const options = { queryWeight, keyWeight, heads, keyValueHeads, epsilon };
      const expected = headNormGradients(x, { ...options, gradient });
      const wanted = {
        y: reference(x, options),
        dx: expected.x,
        dq: plus(expected.query, before),
        dk: plus(expected.key, before),
      };
      for (const [what, values] of Object.entries(wanted)) {
        assertClose(results[what]!, values, { tolerance: TOLERANCE, what });
      }
      const values = (of: Float32Array) => of.subarray((heads + keyValueHeads) * headSize, width);
      assertEquals(values(results.y!), values(x));
      assertEquals(values(results.dx!), values(gradient));
    });
  }
}

Deno.test("headNorm says which sizes don't fit", () => {
  const graph = createGraph(device);
  const tensor = (name: string, shape: number[]) => input(graph, name, { shape });
  const [eight, four] = [tensor("8", [8]), tensor("4", [4])];
  const heads = { heads: 2, keyValueHeads: 1, headSize: 8, epsilon };
  assertThrows(
    () => headNorm(graph, tensor("x", [3, 40]), { ...heads, queryWeight: eight, keyWeight: eight }),
    RangeError,
    "headNorm: qkv is [3,40], queryWeight [8] and keyWeight [8]; 2 + 2 × 1 heads of 8 need [rows, 32], [8] and [8]",
  );
  const fitting = tensor("fitting", [3, 32]);
  assertThrows(
    () => headNorm(graph, fitting, { ...heads, queryWeight: eight, keyWeight: four }),
    RangeError,
  );
});
