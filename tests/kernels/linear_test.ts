import { assertThrows } from "@std/assert";
import { type Adapter, mergedWeight } from "../../kernels/adapter.ts";
import { block } from "../../kernels/block.ts";
import type { Device } from "../../kernels/device.ts";
import { backward, createGraph, output } from "../../kernels/graph.ts";
import { linear } from "../../kernels/linear.ts";
import { matmul } from "../../kernels/matmul.ts";
import {
  assertClose,
  filled,
  filledInput,
  packed,
  randomValues,
  runOnce,
  testDevices,
  trainable,
  watchGradient,
} from "./harness.ts";
import { type AdaptedLayer, referenceAdapted, referenceMerged } from "./references/adapter.ts";
import { product } from "./references/matmul.ts";

const devices = await testDevices();

/** Sums of up to 100 float32 products of numbers below 1. */
const TOLERANCE = 3e-6;

/** 20 rows of 24 inputs to 44 outputs, of which rows 0–15 and 28–43 have adapters of rank 4; numbers that bfloat16 holds. */
function randomLayer(): AdaptedLayer {
  const [rows, inputs, outputs, rank] = [20, 24, 44, 4];
  const values = (count: number, seed: number) =>
    randomValues(count, { seed }).map((value) => Math.round(value * 64) / 64);
  return {
    rows,
    inputs,
    outputs,
    rank,
    x: values(rows * inputs, 1),
    weight: values(outputs * inputs, 2),
    dy: values(rows * outputs, 3),
    a: values(2 * rank * inputs, 4),
    parts: [
      { start: 0, rows: 16, scale: 2, b: values(16 * rank, 5) },
      { start: 28, rows: 16, scale: 0.5, b: values(16 * rank, 6) },
    ],
  };
}

function adapterOf(
  device: Device,
  { a, parts, rank, inputs }: AdaptedLayer,
  { trained }: { trained: boolean },
): Adapter {
  const tensor = (values: Float32Array, shape: number[]) => {
    const own = new Float32Array(values);
    return trained ? trainable(device, own, shape) : filled(device, own, { shape });
  };
  return {
    a: tensor(a, [parts.length * rank, inputs]),
    rank,
    parts: parts.map(({ start, rows, scale, b }) => ({ start, scale, b: tensor(b, [rows, rank]) })),
  };
}

for (const [kind, device] of Object.entries(devices)) {
  for (const storage of ["float32", "bfloat16"]) {
    Deno.test(`linear with adapters on a ${kind} adapter, weight in ${storage}: result and gradients`, async () => {
      const layer = randomLayer();
      const { rows, inputs, outputs } = layer;
      const graph = createGraph(device);
      const x = filledInput(graph, "x", { values: layer.x, shape: [rows, inputs], dtype: "f32" });
      watchGradient(graph, x, "dx");
      const shape = [outputs, inputs];
      const weight = storage === "float32"
        ? filled(device, new Float32Array(layer.weight), { shape })
        : packed(device, layer.weight, shape);
      const adapter = adapterOf(device, layer, { trained: true });
      const y = linear(graph, x, { weight, adapter });
      output(graph, "y", y);
      backward(graph, new Map([[y, filled(device, new Float32Array(layer.dy), { shape: [rows, outputs] })]]));
      output(graph, "dA", adapter.a.gradient!);
      adapter.parts.forEach(({ b }, i) => output(graph, `dB${i}`, b.gradient!));
      const actual = await runOnce(graph);
      const { y: wantedY, dx, dA, dB } = referenceAdapted(layer);
      for (const [what, wanted] of Object.entries({ y: wantedY, dx, dA, dB0: dB[0]!, dB1: dB[1]! })) {
        assertClose(actual[what]!, wanted, { tolerance: TOLERANCE, what });
      }
    });
  }

  Deno.test(`linear with a frozen adapter on a ${kind} adapter: beside the weight, and merged where that is cheaper`, async () => {
    const layer = randomLayer();
    const { inputs, outputs } = layer;
    for (const rows of [2, 20]) { // merging costs as much as 10 rows do
      const graph = createGraph(device);
      const values = layer.x.slice(0, rows * inputs);
      const x = filledInput(graph, "x", { values, shape: [rows, inputs], dtype: "f32" });
      watchGradient(graph, x, "dx");
      const weight = filled(device, new Float32Array(layer.weight), { shape: [outputs, inputs] });
      const y = linear(graph, x, { weight, adapter: adapterOf(device, layer, { trained: false }) });
      output(graph, "y", y);
      const dy = layer.dy.slice(0, rows * outputs);
      backward(graph, new Map([[y, filled(device, dy, { shape: [rows, outputs] })]]));
      const actual = await runOnce(graph);
      const wanted = referenceAdapted({ ...layer, rows, x: values, dy });
      assertClose(actual.y!, wanted.y, { tolerance: TOLERANCE, what: `y of ${rows} rows` });
      assertClose(actual.dx!, wanted.dx, { tolerance: TOLERANCE, what: `dx of ${rows} rows` });
    }
  });

  Deno.test(`mergedWeight on a ${kind} adapter keeps the rows without an adapter`, async () => {
    const layer = randomLayer();
    const graph = createGraph(device);
    const weight = filled(device, new Float32Array(layer.weight), { shape: [layer.outputs, layer.inputs] });
    output(
      graph,
      "merged",
      mergedWeight(graph, weight, { adapter: adapterOf(device, layer, { trained: false }) }),
    );
    const { merged } = await runOnce(graph);
    assertClose(merged!, referenceMerged(layer), { tolerance: TOLERANCE, what: "merged" });
  });

  Deno.test(`matmul on a ${kind} adapter reads and writes blocks of matrices, ragged ones too`, async () => {
    for (const at of [4, 3]) { // vectors or single numbers
      const graph = createGraph(device);
      const [a, b, c] = [1, 2, 3].map((seed) => randomValues(20 * 20, { seed }));
      const [left, right, into] = [a, b, c].map((values) => filled(device, values!, { shape: [20, 20] }));
      const part = { rows: [at, at + 8], columns: [8, 16] } as const;
      matmul(graph, block(left!, part), block(right!, part), {
        into: block(into!, part),
        scale: 0.5,
        transposeB: true,
      });
      output(graph, "c", into!);
      const cut = (values: Float32Array) =>
        Float32Array.from({ length: 64 }, (_, i) => values[(at + (i >> 3)) * 20 + 8 + (i & 7)]!);
      const transposed = Float32Array.from({ length: 64 }, (_, i) => cut(b!)[(i & 7) * 8 + (i >> 3)]!);
      const inner = product({ values: cut(a!), rows: 8, columns: 8 }, {
        values: transposed,
        rows: 8,
        columns: 8,
      });
      const wanted = Float64Array.from(c!);
      inner.forEach((value, i) => wanted[(at + (i >> 3)) * 20 + 8 + (i & 7)]! += 0.5 * value);
      const { c: actual } = await runOnce(graph);
      assertClose(actual!, wanted, { tolerance: TOLERANCE, what: `blocks at row ${at}` });
    }
  });
}

Deno.test("block and matmul say which parts don't fit", () => {
  const device = devices.software;
  const matrix = filled(device, new Float32Array(64), { shape: [8, 8] });
  assertThrows(
    () => block(matrix, { rows: [4, 9] }),
    RangeError,
    "block: rows 4…9 and columns 0…8 are not within [8,8]",
  );
  const graph = createGraph(device);
  const part = block(matrix, { rows: [0, 4] });
  assertThrows(
    () => matmul(graph, part, matrix, { residual: part, output: block(matrix, { rows: [4, 8] }) }),
    RangeError,
    "the residual must lie in its matrix as the result does",
  );
});
