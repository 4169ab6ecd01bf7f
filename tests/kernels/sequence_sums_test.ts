import { assertEquals } from "@std/assert";
import { backward, createGraph, output } from "../../kernels/graph.ts";
import { sequenceSums } from "../../kernels/sequence_sums.ts";
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

const device = await testDevice();

for (const [kind, device] of Object.entries(await testDevices())) {
  for (const lengths of [[1], [3, 1, 5], [300, 2, 0, 70], Array(70).fill(3)]) {
    Deno.test(`sequenceSums as chosen for ${kind} adapters sums ${lengths.length} sequences of up to ${Math.max(...lengths)}`, async () => {
      const padding = 9;
      const starts = lengths.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);
      const used = starts.at(-1)!;
      const slots = used + padding;
      const sequenceOf = [
        ...lengths.flatMap((length, i) => Array(length).fill(i)),
        ...Array(padding).fill(lengths.length),
      ];
      const x = randomValues(slots, { seed: 1, scale: 10 });
      const gradient = randomValues(lengths.length, { seed: 2 });
      const graph = createGraph(device);
      const tensor = filled(device, x, { shape: [slots] });
      watchGradient(graph, tensor, "dx");
      const sums = sequenceSums(graph, tensor, {
        starts: filledInput(graph, "starts", { values: starts, shape: [starts.length] }),
        sequenceOf: filledInput(graph, "sequenceOf", { values: sequenceOf, shape: [slots] }),
      });
      backward(graph, new Map([[sums, filled(device, gradient, { shape: [lengths.length] })]]));
      output(graph, "sums", sums);
      const results = await runOnce(graph);
      const expected = lengths.map((_, i) =>
        x.slice(starts[i], starts[i + 1]).reduce((total, value) => total + value, 0)
      );
      assertClose(results.sums!, expected, { tolerance: 2e-6, what: "sums" });
      assertEquals([...results.dx!], sequenceOf.map((i) => gradient[i] ?? 0));
    });
  }
}

Deno.test("sequenceSums weighs values and their gradients where it is given weights", async () => {
  const graph = createGraph(device);
  const x = filled(device, Float32Array.of(1, 2, 4, 8, 16), { shape: [5] });
  watchGradient(graph, x, "dx");
  const weights = filledInput(graph, "weights", { values: [1, 0.5, 0, 2, 7], shape: [5], dtype: "f32" });
  const sums = sequenceSums(graph, x, {
    starts: filledInput(graph, "starts", { values: [0, 3, 4], shape: [3] }),
    sequenceOf: filledInput(graph, "sequenceOf", { values: [0, 0, 0, 1, 2], shape: [5] }),
    weights,
  });
  backward(graph, new Map([[sums, filled(device, Float32Array.of(3, 5), { shape: [2] })]]));
  output(graph, "sums", sums);
  const results = await runOnce(graph);
  assertEquals([...results.sums!], [2, 16]);
  assertEquals([...results.dx!], [3, 1.5, 0, 10, 0]);
});

Deno.test("sequenceSums of a sequence doesn't depend on what surrounds it", async () => {
  const own = randomValues(33, { seed: 1 });
  const sumAfter = async (before: number) => {
    const graph = createGraph(device);
    const x = Float32Array.from([...randomValues(before, { seed: 2 }), ...own, 1e30]);
    const sums = sequenceSums(graph, filled(device, x, { shape: [x.length] }), {
      starts: filledInput(graph, "starts", { values: [0, before, before + 33], shape: [3] }),
      sequenceOf: filledInput(graph, "sequenceOf", { values: Array(x.length).fill(0), shape: [x.length] }),
    });
    output(graph, "sums", sums);
    return (await runOnce(graph)).sums![1];
  };
  assertEquals(await sumAfter(5), await sumAfter(6));
});
