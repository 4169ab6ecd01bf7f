import { assertEquals, assertThrows } from "@std/assert";
import { lookUp, type RowLists } from "../../kernels/embedding.ts";
import { backward, createGraph, type Graph, input, output } from "../../kernels/graph.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";
import {
  assertClose,
  filled,
  filledInput,
  packed,
  randomValues,
  runOnce,
  testDevice,
  watchGradient,
} from "./harness.ts";

const device = await testDevice();

/** Sums of a few float32 numbers below 1. */
const TOLERANCE = 1e-6;

/** Lists of results by the row that they came from; `lists` beyond the last used one are empty. */
function rowLists(graph: Graph, indices: readonly number[], targets: readonly number[]): RowLists {
  const rows = targets.map((target) => indices.flatMap((index, i) => index === target ? [i] : []));
  const starts = rows.reduce((ends, list) => [...ends, ends.at(-1)! + list.length], [0]);
  return {
    targets: filledInput(graph, "targets", { values: targets, shape: [targets.length] }),
    starts: filledInput(graph, "starts", { values: starts, shape: [starts.length] }),
    rows: filledInput(graph, "rows", { values: rows.flat(), shape: [indices.length] }),
  };
}

/** Row i of the gradient: the sum of those of the results that came from it. */
function summed(
  gradient: ArrayLike<number>,
  { indices, channels, entries }: { indices: readonly number[]; channels: number; entries: number },
) {
  const result = new Float64Array(entries * channels);
  indices.forEach((index, i) => {
    for (let c = 0; c < channels; c++) result[index * channels + c]! += gradient[i * channels + c]!;
  });
  return result;
}

Deno.test("lookUp copies rows of a table and adds to its gradient, repeated tokens summed", async () => {
  const [entries, channels] = [40, 12];
  const indices = Array.from({ length: 70 }, (_, i) => [7, 39, 0, 7, (i * i) % 40][i % 5]!);
  const used = [...new Set(indices)].sort((a, b) => a - b);
  const table = randomValues(entries * channels, { seed: 1 });
  const before = randomValues(entries * channels, { seed: 2 });
  const gradient = randomValues(indices.length * channels, { seed: 3 });

  const graph = createGraph(device);
  const gradientTensor = filled(device, before, { shape: [entries, channels] });
  const y = lookUp(graph, filled(device, table, { shape: [entries, channels], gradient: gradientTensor }), {
    indices: filledInput(graph, "indices", { values: indices, shape: [indices.length] }),
    // Three lists more than distinct tokens: they are empty, and whatever row they name keeps its gradient.
    lists: rowLists(graph, [...indices], [...used, -1, -2, -3]),
  });
  backward(graph, new Map([[y, filled(device, gradient, { shape: [indices.length, channels] })]]));
  output(graph, "y", y);
  output(graph, "gradient", gradientTensor);
  const results = await runOnce(graph);

  const expected = indices.flatMap((index) => [...table.subarray(index * channels, (index + 1) * channels)]);
  assertEquals(results.y, Float32Array.from(expected));
  const added = summed(gradient, { indices, channels, entries });
  const total = added.map((value, i) => value + before[i]!);
  assertClose(results.gradient!, total, { tolerance: TOLERANCE, what: "gradient" });
  // A token that is not in the batch keeps its gradient to the bit.
  const unused = Array.from({ length: entries }, (_, i) => i).find((i) => !used.includes(i))!;
  const rowOf = (values: Float32Array) => values.subarray(unused * channels, (unused + 1) * channels);
  assertEquals(rowOf(results.gradient!), rowOf(before));
});

for (const storage of ["trained", "frozen", "bfloat16"] as const) {
  Deno.test(`lookUp of a table in ${storage} parts is that of the table`, async () => {
    const [entries, channels] = [40, 12];
    const parts = [[0, 13], [13, 14], [14, 36], [36, 40]] as const;
    const indices = Array.from({ length: 70 }, (_, i) => [7, 39, 13, 0, 12, 14, (i * i) % 36][i % 7]!);
    const used = [...new Set(indices)].sort((a, b) => a - b);
    const [table, before, gradient] = [entries, entries, indices.length].map((rows, seed) =>
      randomValues(rows * channels, { seed }).map((value) => Math.round(value * 64) / 64) // as bfloat16 holds them
    ) as [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>];
    const graph = createGraph(device);
    const rowsOf = (values: Float32Array, [start, end]: readonly [number, number]) =>
      values.slice(start * channels, end * channels);
    const gradients = parts.map((part) =>
      filled(device, rowsOf(before, part), { shape: [part[1] - part[0], channels] })
    );
    // The third part is frozen beside trained ones.
    const isTrained = (i: number) => storage === "trained" && i !== 2;
    const tensors = parts.map((part, i) => {
      const shape = [part[1] - part[0], channels];
      if (storage === "bfloat16") return packed(device, rowsOf(table, part), shape);
      return filled(device, rowsOf(table, part), {
        shape,
        ...(isTrained(i) ? { gradient: gradients[i]! } : {}),
      });
    });
    const y = lookUp(graph, tensors, {
      indices: filledInput(graph, "indices", { values: indices, shape: [indices.length] }),
      lists: rowLists(graph, indices, [...used, -1, -2, -3]),
    });
    backward(graph, new Map([[y, filled(device, gradient, { shape: [indices.length, channels] })]]));
    output(graph, "y", y);
    gradients.forEach((tensor, i) => output(graph, `${i}`, tensor));
    const results = await runOnce(graph);
    const expected = indices.flatMap((index) => [...rowsOf(table, [index, index + 1])]);
    assertEquals(results.y, Float32Array.from(expected));
    const total = summed(gradient, { indices, channels, entries }).map((value, i) => value + before[i]!);
    parts.forEach(([start, end], i) => {
      const wanted = (isTrained(i) ? total : before).slice(start * channels, end * channels);
      assertClose(results[`${i}`]!, wanted, { tolerance: TOLERANCE, what: `gradient of part ${i}` });
    });
  });
}

Deno.test("lookUp of activations writes their gradient whole, 0 for rows that nothing reads", async () => {
  const [entries, channels] = [9, 8];
  const indices = [4, 4, 1, 8, 4];
  const gradient = randomValues(indices.length * channels, { seed: 3 });
  const graph = createGraph(device);
  const x = filled(device, randomValues(entries * channels, { seed: 1 }), { shape: [entries, channels] });
  watchGradient(graph, x, "gradient");
  const y = lookUp(graph, x, {
    indices: filledInput(graph, "indices", { values: indices, shape: [indices.length] }),
    lists: rowLists(graph, indices, Array.from({ length: entries }, (_, i) => i)),
  });
  backward(graph, new Map([[y, filled(device, gradient, { shape: [indices.length, channels] })]]));
  const results = await runOnce(graph);
  assertClose(results.gradient!, summed(gradient, { indices, channels, entries }), {
    tolerance: TOLERANCE,
    what: "gradient",
  });
});

Deno.test("lookUp takes parts of parameters only, of one width", () => {
  const graph = createGraph(device);
  const indices = filledInput(graph, "indices", { values: [0, 1, 2], shape: [3] });
  const activations = [input(graph, "first", { shape: [2, 8] }), input(graph, "second", { shape: [3, 8] })];
  watchGradient(graph, activations[0]!, "dx");
  const lists = rowLists(graph, [0, 1, 2], [0, 1]);
  const y = lookUp(graph, activations, { indices, lists });
  assertThrows(() => backward(graph, new Map([[y, y]])), Error, "only parameters may come in parts");
  assertThrows(
    () => lookUp(graph, [activations[0]!, input(graph, "wide", { shape: [3, 12] })], { indices }),
    RangeError,
    "A weight in parts is [2,8], [3,12]; wanted [rows, columns] with equal columns",
  );
});

Deno.test("lookUp refuses what it can't copy or differentiate", () => {
  const graph = createGraph(device);
  const indices = input(graph, "indices", { shape: [3], dtype: "u32" });
  assertThrows(
    () => lookUp(graph, input(graph, "narrow", { shape: [5, 6] }), { indices }),
    RangeError,
    "lookUp: the table is [5,6]; its width must be a multiple of 4",
  );
  const x = input(graph, "x", { shape: [5, 8] });
  watchGradient(graph, x, "dx");
  const unlisted = lookUp(graph, x, { indices });
  assertThrows(
    () => backward(graph, new Map([[unlisted, unlisted]])),
    Error,
    "lookUp: a gradient flows through it, so it needs `lists`",
  );

  const short = createGraph(device);
  watchGradient(short, x, "dx");
  const y = lookUp(short, x, { indices, lists: rowLists(short, [0, 1, 1], [0, 1]) });
  assertThrows(() => backward(short, new Map([[y, y]])), Error, "lookUp: 2 lists for the 5 rows");

  const shared = createGraph(device);
  watchGradient(shared, x, "dx");
  const looked = lookUp(shared, x, { indices, lists: rowLists(shared, [0, 1, 1], [0, 1, 2, 3, 4]) });
  const normed = rmsNorm(shared, x, { weight: input(shared, "weight", { shape: [8] }), epsilon: 0 });
  assertThrows(
    () => backward(shared, new Map([[looked, looked], [normed, normed]])),
    Error,
    "an activation that nothing else uses",
  );
});
