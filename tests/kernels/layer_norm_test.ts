import { assertEquals, assertThrows } from "@std/assert";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { layerNorm } from "../../kernels/layer_norm.ts";
import { linear } from "../../kernels/linear.ts";
import {
  assertClose,
  filled,
  randomValues,
  runOnce,
  testDevice,
  testDevices,
  trainable,
  watchGradient,
} from "./harness.ts";
import { layerNorm as reference, layerNormGradients } from "./references/layer_norm.ts";
import { plus, product } from "./references/matmul.ts";

const device = await testDevice();
const epsilon = 1e-5;

/** Float32 sums over at most 516 channels or 200 rows. */
const TOLERANCE = 2e-6;

for (const [kind, device] of Object.entries(await testDevices())) {
  // One row; several rows a workgroup and a ragged last one; rows of several blocks of the weight's gradient; wide rows.
  for (const [rows, channels] of [[1, 4], [5, 8], [200, 64], [67, 132], [3, 516]] as const) {
    Deno.test(`layerNorm as chosen for ${kind} adapters over [${rows}, ${channels}] and its gradients are the float64 ones`, async () => {
      const x = randomValues(rows * channels, { seed: 1, scale: 3 });
      const [weight, bias, beforeWeight, beforeBias] = [2, 3, 4, 5].map((seed) =>
        randomValues(channels, { seed })
      ) as [Float32Array<ArrayBuffer>, ...Float32Array<ArrayBuffer>[]];
      const gradient = randomValues(rows * channels, { seed: 6 });
      const graph = createGraph(device);
      const tensor = filled(device, x, { shape: [rows, channels] });
      watchGradient(graph, tensor, "dx");
      const [dw, db] = [beforeWeight!, beforeBias!].map((values) =>
        filled(device, values, { shape: [channels] })
      );
      const y = layerNorm(graph, tensor, {
        weight: filled(device, weight, { shape: [channels], gradient: dw! }),
        bias: filled(device, bias!, { shape: [channels], gradient: db! }),
        epsilon,
      });
      backward(graph, new Map([[y, filled(device, gradient, { shape: [rows, channels] })]]));
      output(graph, "y", y);
      output(graph, "dw", dw!);
      output(graph, "db", db!);
      const results = await runOnce(graph);
      const options = { weight, bias: bias!, epsilon };
      const expected = layerNormGradients(x, { ...options, gradient });
      const wanted = {
        y: reference(x, options),
        dx: expected.x,
        dw: plus(expected.weight, beforeWeight!),
        db: plus(expected.bias, beforeBias!),
      };
      for (const [what, values] of Object.entries(wanted)) {
        assertClose(results[what]!, values, { tolerance: TOLERANCE, what });
      }
    });
  }

  Deno.test(`layerNorm as chosen for ${kind} adapters keeps a small variance beside a large mean`, async () => {
    const [rows, channels] = [3, 768];
    // In float32, mean(x²) − mean² would be off by 4e6 · 6e-8, a quarter of the variance.
    const x = randomValues(rows * channels, { seed: 1, scale: 2 }).map((value) => value + 2000);
    const graph = createGraph(device);
    const ones = new Float32Array(channels).fill(1), zero = new Float32Array(channels);
    const y = layerNorm(graph, filled(device, x, { shape: [rows, channels] }), {
      weight: filled(device, ones, { shape: [channels] }),
      bias: filled(device, zero, { shape: [channels] }),
      epsilon,
    });
    output(graph, "y", y);
    const results = await runOnce(graph);
    // The mean itself is rounded: half a unit in the last place of 2000 beside a deviation of 1.15 is 5e-5.
    const expected = reference(x, { weight: ones, bias: zero, epsilon });
    assertClose(results.y!, expected, { tolerance: 5e-5, what: "y" });
  });

  Deno.test(`layerNorm as chosen for ${kind} adapters adds to the gradient that a residual brought`, async () => {
    const [rows, channels] = [5, 24];
    const x = randomValues(rows * channels, { seed: 1 });
    const [weight, bias] = [randomValues(channels, { seed: 2 }), randomValues(channels, { seed: 5 })];
    const matrix = randomValues(channels * channels, { seed: 3 });
    const gradient = randomValues(rows * channels, { seed: 4 });
    const graph = createGraph(device);
    const tensor = filled(device, x, { shape: [rows, channels] });
    watchGradient(graph, tensor, "dx");
    const normed = layerNorm(graph, tensor, {
      weight: filled(device, weight, { shape: [channels] }),
      bias: filled(device, bias, { shape: [channels] }),
      epsilon,
    });
    const y = linear(graph, normed, {
      weight: filled(device, matrix, { shape: [channels, channels] }),
      residual: tensor,
    });
    backward(graph, new Map([[y, filled(device, gradient, { shape: [rows, channels] })]]));
    const { dx } = await runOnce(graph);
    const through = product({ values: gradient, rows, columns: channels }, {
      values: matrix,
      rows: channels,
      columns: channels,
    });
    const expected = layerNormGradients(x, { weight, bias, epsilon, gradient: through });
    assertClose(dx!, plus(expected.x, gradient), { tolerance: TOLERANCE, what: "dx" });
  });
}

Deno.test("layerNorm of equal numbers is the bias, and ε counts where x hardly varies", async () => {
  const x = Float32Array.from([7, 7, 7, 7, 3e-3, 1e-3, -2e-3, 1e-3]);
  const bias = Float32Array.from([1, -2, 3, -4]);
  const weight = [1, 2, 3, 4];
  const graph = createGraph(device);
  const y = layerNorm(graph, filled(device, x, { shape: [2, 4] }), {
    weight: filled(device, Float32Array.from(weight), { shape: [4] }),
    bias: filled(device, bias, { shape: [4] }),
    epsilon,
  });
  output(graph, "y", y);
  const results = await runOnce(graph);
  assertEquals(results.y!.subarray(0, 4), bias);
  assertClose(results.y!, reference(x, { weight, bias, epsilon }), { tolerance: TOLERANCE, what: "y" });
});

Deno.test("layerNorm records the gradients of those that are trained", () => {
  for (
    const [weightTrained, biasTrained, launches] of [[true, false, 2], [false, true, 2], [false, false, 0]]
  ) {
    const graph = createGraph(device);
    const vector = (trained: unknown) =>
      trained
        ? trainable(device, new Float32Array(8), [8])
        : filled(device, new Float32Array(8), { shape: [8] });
    const weight = vector(weightTrained), bias = vector(biasTrained);
    const y = layerNorm(graph, input(graph, "x", { shape: [3, 8] }), { weight, bias, epsilon });
    backward(graph, new Map([[y, input(graph, "dy", { shape: [3, 8] })]]));
    assertEquals(graph.dispatches.length - 1, launches as number);
  }
});

Deno.test("layerNorm says which shapes don't match", () => {
  const graph = createGraph(device);
  const tensor = (name: string, shape: number[]) => input(graph, name, { shape });
  const [eight, four] = [tensor("8", [8]), tensor("4", [4])];
  const x = tensor("x", [3, 8]);
  assertThrows(
    () => layerNorm(graph, x, { weight: eight, bias: four, epsilon }),
    RangeError,
    "layerNorm: x is [3,8], weight is [8] and bias is [4]; wanted [rows, 4c], [4c] and [4c]",
  );
  assertThrows(() => layerNorm(graph, x, { weight: four, bias: eight, epsilon }), RangeError);
  const six = tensor("6", [6]);
  assertThrows(
    () => layerNorm(graph, tensor("x6", [3, 6]), { weight: six, bias: six, epsilon }),
    RangeError,
  );
});
