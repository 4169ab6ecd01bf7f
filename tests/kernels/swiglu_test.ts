import { assertEquals, assertThrows } from "@std/assert";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { swiglu } from "../../kernels/swiglu.ts";
import { assertClose, filled, randomValues, runOnce, testDevice, watchGradient } from "./harness.ts";
import { swiglu as reference, swigluGradient } from "./references/rows.ts";

const device = await testDevice();

/** SwiGLU of `x`, [rows, 2 channels], and its gradient. */
async function run(
  x: Float32Array<ArrayBuffer>,
  { channels, gradient }: { channels: number; gradient: Float32Array<ArrayBuffer> },
) {
  const rows = x.length / 2 / channels;
  const graph = createGraph(device);
  const tensor = filled(device, x, { shape: [rows, 2 * channels] });
  watchGradient(graph, tensor, "dx");
  const y = swiglu(graph, tensor);
  backward(graph, new Map([[y, filled(device, gradient, { shape: [rows, channels] })]]));
  output(graph, "y", y);
  return await runOnce(graph) as { y: Float32Array; dx: Float32Array };
}

for (const [rows, channels] of [[1, 4], [7, 12], [33, 176]] as const) {
  Deno.test(`swiglu over [${rows}, 2 × ${channels}] and its gradient are the float64 ones`, async () => {
    const x = randomValues(rows * 2 * channels, { seed: 1, scale: 6 });
    const gradient = randomValues(rows * channels, { seed: 2 });
    const { y, dx } = await run(x, { channels, gradient });
    assertClose(y, reference(x, { channels }), { tolerance: 1e-6, what: "y" });
    assertClose(dx, swigluGradient(x, { channels, gradient }), { tolerance: 1e-6, what: "dx" });
  });
}

Deno.test("swiglu of gates of ±200, where exp overflows, is the gate or 0 and stays finite", async () => {
  const x = Float32Array.from([200, -200, 0, 90, 1, 1, 1, 2]);
  const { y, dx } = await run(x, { channels: 4, gradient: new Float32Array(4).fill(1) });
  assertEquals([...y].map((value) => value + 0), [200, 0, 0, 180]);
  assertClose(dx, [1, 0, 0.5, 2, 200, 0, 0, 90], { tolerance: 1e-7, what: "dx" });
});

Deno.test("swiglu refuses an odd width", () => {
  const graph = createGraph(device);
  assertThrows(
    () => swiglu(graph, input(graph, "x", { shape: [3, 12] })),
    RangeError,
    "swiglu: x is [3,12]; its width must be a multiple of 8",
  );
});
