import { assertEquals, assertThrows } from "@std/assert";
import { add } from "../../kernels/add.ts";
import { gelu } from "../../kernels/gelu.ts";
import { backward, createGraph, type Graph, input, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";
import { swiglu } from "../../kernels/swiglu.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import { assertClose, filled, randomValues, runOnce, testDevice, watchGradient } from "./harness.ts";
import { plus, product, transpose } from "./references/matmul.ts";
import { rmsNorm as referenceNorm, rmsNormGradients } from "./references/rows.ts";

const device = await testDevice();

for (const shape of [[8, 12], [3, 5]]) {
  Deno.test(`add of [${shape}] is the sum, and both receive its gradient`, async () => {
    const size = shape[0]! * shape[1]!;
    const graph = createGraph(device);
    const values = [1, 2, 3].map((seed) => randomValues(size, { seed })) as Float32Array<ArrayBuffer>[];
    const [a, b, dy] = values.map((own) => filled(device, own, { shape })) as [Tensor, Tensor, Tensor];
    watchGradient(graph, a, "da");
    watchGradient(graph, b, "db");
    const y = add(graph, a, b);
    backward(graph, new Map([[y, dy]]));
    output(graph, "y", y);
    const results = await runOnce(graph);
    assertEquals(results.y, values[0]!.map((value, i) => value + values[1]![i]!));
    assertEquals(results.da, values[2]);
    assertEquals(results.db, values[2]);
  });
}

Deno.test("add of a tensor to itself sends back twice the gradient", async () => {
  const graph = createGraph(device);
  const x = filled(device, randomValues(8, { seed: 1 }), { shape: [2, 4] });
  const dy = randomValues(8, { seed: 2 });
  watchGradient(graph, x, "dx");
  backward(graph, new Map([[add(graph, x, x), filled(device, dy, { shape: [2, 4] })]]));
  assertEquals((await runOnce(graph)).dx, dy.map((value) => 2 * value));
});

Deno.test("what swiglu and gelu send back is added to what came from another use", async () => {
  for (const operation of [swiglu, (graph: Graph, x: Tensor) => gelu(graph, x, { approximation: "none" })]) {
    const x = randomValues(24, { seed: 1 });
    const gradients = async (uses: readonly ("operation" | "sum")[]) => {
      const graph = createGraph(device);
      const tensor = filled(device, x, { shape: [3, 8] });
      watchGradient(graph, tensor, "dx");
      const seeds = uses.map((use) => {
        const y = use === "sum" ? add(graph, tensor, tensor) : operation(graph, tensor);
        const seed = use === "sum" ? 2 : 3;
        const size = y.shape[0]! * y.shape[1]!;
        return [y, filled(device, randomValues(size, { seed }), { shape: y.shape })] as const;
      });
      backward(graph, new Map(seeds));
      return (await runOnce(graph)).dx!;
    };
    const [one, other, both] = [
      await gradients(["operation"]),
      await gradients(["sum"]),
      await gradients(["operation", "sum"]),
    ];
    assertEquals(both, one.map((value, i) => value + other[i]!));
  }
});

/** x + first(norm(x)) + second(norm(x)), like GPT-NeoX's blocks, with the norms before or between the layers. */
function recordParallel(
  graph: Graph,
  x: Tensor,
  { weight, layers, normsFirst }: { weight: Tensor; layers: [Tensor, Tensor]; normsFirst: boolean },
): Tensor {
  const norm = () => rmsNorm(graph, x, { weight, epsilon: 1e-5 });
  const first = norm();
  const early = normsFirst ? norm() : undefined;
  const after = linear(graph, first, { weight: layers[0], residual: x });
  return linear(graph, early ?? norm(), { weight: layers[1], residual: after });
}

Deno.test("a residual that a later operation read too receives both gradients, without another pass where norms came first", async () => {
  const [rows, channels] = [5, 12];
  const x = randomValues(rows * channels, { seed: 1 });
  const weight = randomValues(channels, { seed: 2 });
  const layers = [3, 4].map((seed) => randomValues(channels ** 2, { seed }));
  const gradient = randomValues(rows * channels, { seed: 5 });
  const square = { rows: channels, columns: channels };
  const normed = { values: referenceNorm(x, { weight, epsilon: 1e-5 }), rows, columns: channels };
  let wantedY: ArrayLike<number> = x, wantedGradient: ArrayLike<number> = gradient;
  for (const values of layers) {
    wantedY = plus(wantedY, product(normed, transpose({ values, ...square })));
    const through = product({ values: gradient, rows, columns: channels }, { values, ...square });
    const back = rmsNormGradients(x, { weight, epsilon: 1e-5, gradient: through }).x;
    wantedGradient = plus(wantedGradient, back);
  }
  for (const normsFirst of [true, false]) {
    const graph = createGraph(device);
    const tensor = filled(device, x, { shape: [rows, channels] });
    watchGradient(graph, tensor, "dx");
    const y = recordParallel(graph, tensor, {
      weight: filled(device, weight, { shape: [channels] }),
      layers: layers.map((values) => filled(device, values, { shape: [channels, channels] })) as [
        Tensor,
        Tensor,
      ],
      normsFirst,
    });
    backward(graph, new Map([[y, filled(device, gradient, { shape: [rows, channels] })]]));
    output(graph, "y", y);
    const labels = graph.dispatches.map(({ kernel }) => kernel.label);
    assertEquals(labels.filter((label) => label === "add").length, normsFirst ? 0 : 1);
    const results = await runOnce(graph);
    assertClose(results.y!, wantedY, { tolerance: 2e-6, what: "y" });
    assertClose(results.dx!, wantedGradient, { tolerance: 2e-6, what: "dx" });
  }
});

Deno.test("add says which shapes differ", () => {
  const graph = createGraph(device);
  assertThrows(
    () => add(graph, input(graph, "a", { shape: [3, 8] }), input(graph, "b", { shape: [8, 3] })),
    RangeError,
    "add: a is [3,8] and b is [8,3]; wanted the same shape",
  );
});
