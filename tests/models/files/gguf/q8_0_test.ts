import { assert, assertEquals, assertThrows } from "@std/assert";
import { quantizeQ8_0 } from "../../../../models/files/gguf/q8_0.ts";
import { randomValues } from "../../../kernels/harness.ts";

/** A block of 32 that begins with these numbers and goes on with zeros. */
function blockOf(...values: number[]): Float32Array<ArrayBuffer> {
  const block = new Float32Array(32);
  block.set(values);
  return block;
}

function read(bytes: Uint8Array<ArrayBuffer>, block = 0): { scale: number; quants: number[] } {
  const view = new DataView(bytes.buffer, 34 * block, 34);
  return {
    scale: view.getFloat16(0, true),
    quants: Array.from({ length: 32 }, (_, i) => view.getInt8(2 + i)),
  };
}

Deno.test("quantizeQ8_0 rounds halves away from zero, as roundf of C does", () => {
  // By hand: the scale is 127 / 127 = 1, so numbers are quantized to whole ones.
  const { scale, quants } = read(
    quantizeQ8_0(blockOf(127, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999997, -126.5)),
  );
  assertEquals(scale, 1);
  assertEquals(quants.slice(0, 10), [127, 1, -1, 2, -2, 3, -3, 0, -127, 0]);
});

Deno.test("quantizeQ8_0 stores the scale in float16 but divides by the float32 one", () => {
  // By hand: d = 1/127 = 0.00787401…, as float16 0.00787353515625. 0.49999 · 127 = 63.4987 becomes 63; divided by the
  // float16 scale it would be 63.5026 and become 64.
  const { scale, quants } = read(quantizeQ8_0(blockOf(1, -1, 0.49999)));
  assertEquals(scale, 0.00787353515625);
  assertEquals(quants.slice(0, 4), [127, -127, 63, 0]);
});

Deno.test("quantizeQ8_0 makes zeros of zeros, and of what is too small for a scale", () => {
  assertEquals(read(quantizeQ8_0(blockOf())), { scale: 0, quants: new Array(32).fill(0) });
  assertEquals(read(quantizeQ8_0(blockOf(1e-44, -1e-44))), { scale: 0, quants: new Array(32).fill(0) });
});

Deno.test("quantizeQ8_0 is off by half a step at most", () => {
  const values = randomValues(32 * 50, { seed: 1, scale: 3 });
  const bytes = quantizeQ8_0(values);
  assertEquals(bytes.length, 34 * 50);
  for (let block = 0; block < 50; block++) {
    const { scale, quants } = read(bytes, block);
    const exact = values.subarray(32 * block, 32 * block + 32);
    const step = Math.max(...exact.map(Math.abs)) / 127;
    quants.forEach((quant, i) => {
      // Half a step, and the float16 scale's relative error of 2⁻¹¹ of up to 127 steps.
      assert(Math.abs(quant * scale - exact[i]!) <= step * (0.5 + 127 * 2 ** -11 + 1e-4));
    });
  }
});

Deno.test("quantizeQ8_0 refuses parts of blocks, and numbers that no float16 scale reaches", () => {
  assertThrows(() => quantizeQ8_0(new Float32Array(33)), Error, "give a multiple of 32");
  assertThrows(() => quantizeQ8_0(blockOf(1e7)), Error, "as large as 10000000");
  assertThrows(() => quantizeQ8_0(blockOf(NaN)), Error, "NaN");
});
