import { assertEquals, assertThrows } from "@std/assert";
import { backward, createGraph, input, output } from "../../kernels/graph.ts";
import { rotary } from "../../kernels/rotary.ts";
import {
  assertClose,
  filled,
  filledInput,
  randomValues,
  runOnce,
  testDevice,
  watchGradient,
} from "./harness.ts";
import { rotary as reference } from "./references/rows.ts";

const device = await testDevice();

// All of a head, or its first channels: in fours, in twos (Pythia 2.8B's 20 of 80), one by one.
for (const [headSize, rotated] of [[8], [16], [80], [32, 8], [80, 20], [16, 6], [8, 2]] as const) {
  const turning = rotated ?? headSize;
  Deno.test(`rotary of ${turning} channels in heads of ${headSize} turns queries and keys, not values; its gradient turns back`, async () => {
    const heads = 3;
    const width = (heads + 1) * headSize; // the last head is a value
    const positions = [0, 1, 2, 3, 0, 1, 19];
    const frequencies = Array.from({ length: turning / 2 }, (_, i) => 10 ** (-2 * i / turning));
    const angles = Array.from({ length: 20 }, (_, position) => frequencies.map((f) => f * position)).flat();
    const table = (of: (angle: number) => number) =>
      filled(device, Float32Array.from(angles, of), { shape: [20, turning / 2] });
    const shape = [positions.length, width];
    const x = randomValues(positions.length * width, { seed: 1 });
    const gradient = randomValues(positions.length * width, { seed: 2 });

    const graph = createGraph(device);
    const tensor = filled(device, x, { shape });
    watchGradient(graph, tensor, "gradient");
    const y = rotary(graph, tensor, {
      positions: filledInput(graph, "positions", { values: positions, shape: [positions.length] }),
      cosines: table(Math.cos),
      sines: table(Math.sin),
      heads,
      headSize,
      ...(rotated ? { rotated } : {}),
    });
    backward(graph, new Map([[y, filled(device, gradient, { shape })]]));
    output(graph, "rotated", y);
    const results = await runOnce(graph);

    const options = { width, heads, headSize, positions, frequencies };
    // One product and one sum: rounding of a number and of the tables.
    const expected = reference(x, { ...options, direction: 1 });
    assertClose(results.rotated!, expected, { tolerance: 3e-7, what: "rotated" });
    const back = reference(gradient, { ...options, direction: -1 });
    assertClose(results.gradient!, back, { tolerance: 3e-7, what: "gradient" });
    positions.forEach((_, row) => {
      const values = (of: Float32Array) => of.subarray(row * width + heads * headSize, (row + 1) * width);
      assertEquals(values(results.rotated!), values(x), `values of row ${row}`);
      for (let head = 0; head < heads; head++) {
        const rest = (of: Float32Array) => {
          const at = row * width + head * headSize;
          return of.subarray(at + turning, at + headSize);
        };
        assertEquals(rest(results.rotated!), rest(x), `rest of head ${head} of row ${row}`);
        assertEquals(rest(results.gradient!), rest(gradient), `gradient of the rest, row ${row}`);
      }
    });
  });
}

Deno.test("rotary says which head size doesn't fit", () => {
  const graph = createGraph(device);
  const x = input(graph, "x", { shape: [5, 32] });
  const positions = input(graph, "positions", { shape: [5], dtype: "u32" });
  const tables = { cosines: x, sines: x, positions };
  assertThrows(
    () => rotary(graph, x, { ...tables, heads: 2, headSize: 12 }),
    RangeError,
    "rotary: x is [5,32]; 2 heads of 12 need a head size that 8 divides and fit in a row",
  );
  assertThrows(() => rotary(graph, x, { ...tables, heads: 5, headSize: 8 }), RangeError);
  for (const rotated of [5, 0, 18]) {
    assertThrows(
      () => rotary(graph, x, { ...tables, heads: 2, headSize: 16, rotated }),
      RangeError,
      `rotary: rotated is ${rotated}; wanted an even number from 2 to the head size, 16`,
    );
  }
  assertThrows(
    () => rotary(graph, x, { ...tables, heads: 2, headSize: 16, rotated: 8 }),
    RangeError,
    "rotary: cosines are [5,32] and sines [5,32]; 8 rotated channels need [positions, 4]",
  );
});
