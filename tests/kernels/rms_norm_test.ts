import { assertThrows } from "@std/assert";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";
import {
  assertClose,
  filled,
  randomValues,
  runOnce,
  testDevice,
  testDevices,
  watchGradient,
} from "./harness.ts";
import { plus, product, transpose } from "./references/matmul.ts";
import { rmsNorm as reference, rmsNormGradients } from "./references/rows.ts";

const device = await testDevice();
const epsilon = 1e-5;

/** Float32 sums over at most 516 channels or 200 rows. */
const TOLERANCE = 2e-6;

for (const [kind, device] of Object.entries(await testDevices())) {
  // One row; several rows a workgroup and a ragged last one; rows of several blocks of the weight's gradient; wide rows.
  for (const [rows, channels] of [[1, 4], [5, 8], [200, 64], [67, 132], [3, 516]] as const) {
    Deno.test(`rmsNorm as chosen for ${kind} adapters over [${rows}, ${channels}] and its gradients are the float64 ones`, async () => {
      const x = randomValues(rows * channels, { seed: 1, scale: 3 });
      const weight = randomValues(channels, { seed: 2 });
      const before = randomValues(channels, { seed: 3 });
      const gradient = randomValues(rows * channels, { seed: 4 });
      const graph = createGraph(device);
      const input = filled(device, x, { shape: [rows, channels] });
      watchGradient(graph, input, "dx");
      const dw = filled(device, before, { shape: [channels] });
      const y = rmsNorm(graph, input, {
        weight: filled(device, weight, { shape: [channels], gradient: dw }),
        epsilon,
      });
      backward(graph, new Map([[y, filled(device, gradient, { shape: [rows, channels] })]]));
      output(graph, "y", y);
      output(graph, "dw", dw);
      const results = await runOnce(graph);
      const expected = rmsNormGradients(x, { weight, epsilon, gradient });
      const close = (actual: ArrayLike<number>, wanted: ArrayLike<number>, what: string) =>
        assertClose(actual, wanted, { tolerance: TOLERANCE, what });
      close(results.y!, reference(x, { weight, epsilon }), "y");
      close(results.dx!, expected.x, "dx");
      close(results.dw!, plus(expected.weight, before), "dw");
    });
  }

  Deno.test(`rmsNorm as chosen for ${kind} adapters adds to the gradient that a residual brought`, async () => {
    const [rows, channels] = [5, 24];
    const x = randomValues(rows * channels, { seed: 1 });
    const weight = randomValues(channels, { seed: 2 });
    const matrix = randomValues(channels * channels, { seed: 3 });
    const gradient = randomValues(rows * channels, { seed: 4 });
    const graph = createGraph(device);
    const input = filled(device, x, { shape: [rows, channels] });
    watchGradient(graph, input, "dx");
    const normed = rmsNorm(graph, input, { weight: filled(device, weight, { shape: [channels] }), epsilon });
    const y = linear(graph, normed, {
      weight: filled(device, matrix, { shape: [channels, channels] }),
      residual: input,
    });
    backward(graph, new Map([[y, filled(device, gradient, { shape: [rows, channels] })]]));
    output(graph, "y", y);
    const results = await runOnce(graph);
    const matrices = {
      normed: { values: reference(x, { weight, epsilon }), rows, columns: channels },
      matrix: { values: matrix, rows: channels, columns: channels },
      gradient: { values: gradient, rows, columns: channels },
    };
    const expected = plus(product(matrices.normed, transpose(matrices.matrix)), x);
    assertClose(results.y!, expected, { tolerance: TOLERANCE, what: "y" });
    const through = rmsNormGradients(x, {
      weight,
      epsilon,
      gradient: product(matrices.gradient, matrices.matrix),
    });
    assertClose(results.dx!, plus(through.x, gradient), { tolerance: TOLERANCE, what: "dx" });
  });
}

Deno.test("rmsNorm's ε keeps a row of zeros at zero and counts where x is small", async () => {
  const x = Float32Array.from([0, 0, 0, 0, 3e-3, 1e-3, -2e-3, 1e-3]);
  const graph = createGraph(device);
  const weight = filled(device, new Float32Array(4).fill(1), { shape: [4] });
  output(graph, "y", rmsNorm(graph, filled(device, x, { shape: [2, 4] }), { weight, epsilon }));
  const { y } = await runOnce(graph);
  const expected = reference(x, { weight: [1, 1, 1, 1], epsilon });
  assertClose(y!, expected, { tolerance: TOLERANCE, what: "y" });
});

Deno.test("rmsNorm says which shapes don't match", () => {
  const graph = createGraph(device);
  const tensor = (name: string, shape: number[]) => input(graph, name, { shape });
  assertThrows(
    () => rmsNorm(graph, tensor("x", [3, 8]), { weight: tensor("w", [4]), epsilon }),
    RangeError,
    "rmsNorm: x is [3,8] and weight is [4]; wanted [rows, 4c] and [4c]",
  );
  assertThrows(
    () => rmsNorm(graph, tensor("x6", [3, 6]), { weight: tensor("w6", [6]), epsilon }),
    RangeError,
  );
});
