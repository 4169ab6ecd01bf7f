import { assertEquals, assertThrows } from "@std/assert";
import { decodeToFloat32, encodeFromFloat32 } from "../../../models/files/floats.ts";

// Bit patterns of a float32, of the bfloat16 it rounds to and of the float16 it rounds to; the bfloat16 are from
// PyTorch 1.13 (`tensor.bfloat16()`), the float16 from NumPy 1.24 (`astype(float16)`).
const ROUNDED: [float32: number, bfloat16: number, float16: number][] = [
  [0x00000000, 0x0000, 0x0000], // 0
  [0x80000000, 0x8000, 0x8000], // -0
  [0x3f800000, 0x3f80, 0x3c00], // 1
  [0x3eaaaaab, 0x3eab, 0x3555], // 1/3
  [0xbeaaaaab, 0xbeab, 0xb555], // -1/3
  [0x3f808000, 0x3f80, 0x3c04], // 1.00390625: a tie in bfloat16, down to even
  [0x3f818000, 0x3f82, 0x3c0c], // 1.01171875: a tie in bfloat16, up to even
  [0x40490000, 0x4049, 0x4248], // 3.140625
  [0x477fe000, 0x4780, 0x7bff], // 65504, the largest float16
  [0x477fefff, 0x4780, 0x7bff], // 65519.996, the last that rounds to it
  [0x33800000, 0x3380, 0x0001], // 2^-24, the smallest float16
  [0x33000000, 0x3300, 0x0000], // 2^-25: a tie, to zero
  [0x33000001, 0x3300, 0x0001], // just above it
  [0x33c00000, 0x33c0, 0x0002], // 1.5 * 2^-24: a tie between subnormals, up to even
  [0x387fc000, 0x3880, 0x03ff], // the largest subnormal float16
  [0x38800000, 0x3880, 0x0400], // 2^-14, the smallest normal one
  [0x3f801000, 0x3f80, 0x3c00], // 1 + 2^-11: a tie in float16, down to even
  [0x3f803000, 0x3f80, 0x3c02], // 1 + 3 * 2^-11: a tie in float16, up to even
  [0x45800800, 0x4580, 0x6c00], // 4097
  [0x000116c2, 0x0001, 0x0000], // 1e-40, a subnormal float32
  [0x7f800000, 0x7f80, 0x7c00], // infinity
  [0xff800000, 0xff80, 0xfc00], // -infinity
];
const float32 = new Float32Array(new Uint32Array(ROUNDED.map(([word]) => word)).buffer);

Deno.test("encodeFromFloat32 rounds to bfloat16 as PyTorch does", () => {
  const halves = new Uint16Array(encodeFromFloat32(float32, "BF16").buffer);
  assertEquals([...halves], ROUNDED.map(([, bfloat16]) => bfloat16));
});

Deno.test("encodeFromFloat32 rounds to float16 as NumPy does", () => {
  const halves = new Uint16Array(encodeFromFloat32(float32, "F16").buffer);
  assertEquals([...halves], ROUNDED.map(([, , float16]) => float16));
});

Deno.test("encodeFromFloat32 clamps finite numbers to the largest float16", () => {
  const halves = new Uint16Array(
    encodeFromFloat32(new Float32Array([65520, 1e5, -1e5, -3e38]), "F16").buffer,
  );
  assertEquals([...halves], [0x7bff, 0x7bff, 0xfbff, 0xfbff]);
});

Deno.test("encodeFromFloat32 keeps NaN, even where its payload would round away", () => {
  const words = new Uint32Array([0x7fc00000, 0x7f800001, 0xffffffff]);
  for (const dtype of ["BF16", "F16"] as const) {
    const bytes = encodeFromFloat32(new Float32Array(words.buffer), dtype);
    assertEquals([...decodeToFloat32(bytes, dtype)], [NaN, NaN, NaN]);
  }
});

Deno.test("decodeToFloat32 widens every bfloat16 by sixteen zero bits", () => {
  const halves = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);
  const words = new Uint32Array(decodeToFloat32(new Uint8Array(halves.buffer), "BF16").buffer);
  assertEquals(words, Uint32Array.from(halves, (half) => half * 65536));
});

Deno.test("decodeToFloat32 widens every finite float16 to sign, exponent and fraction", () => {
  const halves = Uint16Array.from({ length: 1 << 16 }, (_, i) => i).filter((half) =>
    (half & 0x7c00) !== 0x7c00
  );
  const expected = Float32Array.from(halves, (half) => {
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return half & 0x8000 ? -size : size;
  });
  assertEquals(decodeToFloat32(new Uint8Array(halves.buffer), "F16"), expected);
});

Deno.test("encodeFromFloat32 takes every finite float16 and bfloat16 back to itself", () => {
  const all = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);
  for (const [dtype, exponents] of [["F16", 0x7c00], ["BF16", 0x7f80]] as const) {
    const halves = all.filter((half) => (half & exponents) !== exponents);
    const bytes = encodeFromFloat32(decodeToFloat32(new Uint8Array(halves.buffer), dtype), dtype);
    assertEquals(new Uint16Array(bytes.buffer), halves);
  }
});

Deno.test("decodeToFloat32 reads bytes at an odd offset into a part of an array", () => {
  for (const dtype of ["F32", "F16", "BF16"] as const) {
    const bytes = encodeFromFloat32(new Float32Array([0.5, -2]), dtype);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const into = new Float32Array(4);
    decodeToFloat32(shifted.subarray(1), dtype, { into: into.subarray(1, 3) });
    assertEquals([...into], [0, 0.5, -2, 0]);
  }
});

Deno.test("decodeToFloat32 and encodeFromFloat32 refuse other types by name", () => {
  assertThrows(() => decodeToFloat32(new Uint8Array(8), "I64"), Error, "Cannot read numbers of type I64");
  assertThrows(
    () => encodeFromFloat32(new Float32Array(1), "F64"),
    Error,
    "Cannot write numbers of type F64",
  );
});

Deno.test("decodeToFloat32 refuses lengths that do not fit", () => {
  assertThrows(() => decodeToFloat32(new Uint8Array(3), "BF16"), Error, "3 bytes");
  const into = new Float32Array(1);
  assertThrows(
    () => decodeToFloat32(new Uint8Array(4), "BF16", { into }),
    Error,
    "array of 1: give one of 2",
  );
});
