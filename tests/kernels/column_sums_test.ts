import { assertEquals, assertThrows } from "@std/assert";
import { columnSums } from "../../kernels/column_sums.ts";
import { createGraph, input, output } from "../../kernels/graph.ts";
import { assertClose, filled, randomValues, runOnce, testDevice } from "./harness.ts";

const device = await testDevice();

// One stage; rows of one number; two stages, the last block ragged; three stages.
for (
  const [rows, channels, launches] of [[9, 260, 1], [64, 7, 1], [131, 24, 2], [70, 5, 2], [
    4200,
    4,
    3,
  ]] as const
) {
  Deno.test(`columnSums adds the sum of ${rows} rows of ${channels} in ${launches} stages`, async () => {
    const graph = createGraph(device);
    const values = randomValues(rows * channels, { seed: 1 });
    const before = randomValues(channels, { seed: 2 });
    const into = filled(device, before, { shape: [channels] });
    columnSums(graph, filled(device, values, { shape: [rows, channels] }), into);
    assertEquals(graph.dispatches.length, launches);
    output(graph, "sums", into);
    const { sums } = await runOnce(graph);
    const expected = Float64Array.from(before);
    values.forEach((value, i) => expected[i % channels]! += value);
    assertClose(sums!, expected, { tolerance: 1e-6, what: "sums" });
  });
}

Deno.test("columnSums says which sizes don't match", () => {
  const graph = createGraph(device);
  assertThrows(
    () => columnSums(graph, input(graph, "x", { shape: [3, 8] }), input(graph, "into", { shape: [4] })),
    RangeError,
    "columnSums: x is [3,8] and into is [4]; wanted [rows, channels] and [channels]",
  );
});
