import { assertEquals, assertThrows } from "@std/assert";
import { bytesOf, reshape, rows, sizeOf } from "../../kernels/tensor.ts";
import { testDevice, trainable } from "./harness.ts";

const device = await testDevice();

Deno.test("sizeOf and bytesOf count elements and bytes, of a scalar too", () => {
  assertEquals(sizeOf([2, 3, 4]), 24);
  assertEquals(sizeOf([]), 1);
  assertEquals(bytesOf(trainable(device, new Float32Array(6), [2, 3])), 24);
});

Deno.test("reshape sees the same memory and refuses another size", () => {
  const tensor = trainable(device, new Float32Array(24), [4, 6]);
  const flat = reshape(tensor, [24]);
  assertEquals(flat.shape, [24]);
  assertEquals(flat.storage, tensor.storage);
  assertThrows(() => reshape(tensor, [5, 5]), RangeError, "reshape: [4,6] has 24 elements, [5,5] has 25");
});

Deno.test("rows cuts rows at aligned offsets, without the gradient of the whole", () => {
  const tensor = trainable(device, new Float32Array(32 * 10), [10, 32]);
  const part = rows(tensor, 4, 7);
  assertEquals([part.shape, part.offset, part.gradient], [[3, 32], 4 * 32 * 4, undefined]);
  assertEquals(rows(part, 2, 3).offset, 6 * 32 * 4);
  assertThrows(() => rows(tensor, 3, 7), RangeError, "rows: byte offset 384 is not a multiple of 256");
  for (const [start, end] of [[-2, 3], [4, 11], [4, 4]] as const) {
    assertThrows(() => rows(tensor, start, end), RangeError, `rows: ${start}…${end} is not within [10,32]`);
  }
});
