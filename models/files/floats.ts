/**
 * Weights as they lie in files, float32, float16 or bfloat16, to and from `Float32Array`.
 *
 * Every host that runs WebGPU from JavaScript is little-endian, as safetensors is, so typed arrays are views of
 * the file's bytes.
 *
 * @module
 */
import { ELEMENT_BYTES, type ElementType } from "./element_types.ts";

/** An element type that {@linkcode decodeToFloat32} and {@linkcode encodeFromFloat32} handle. */
export type FloatType = "F32" | "F16" | "BF16";

/** Whether an element type is one of {@linkcode FloatType}. */
export function isFloatType(dtype: string): dtype is FloatType {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/**
 * Widens stored numbers to float32; exact for all three types.
 *
 * @param bytes the stored numbers, at any alignment
 * @param dtype their type
 * @param options `into`: where to put them, as long as there are numbers; allocated when not given
 * @returns `into`, or the new array
 * @throws {Error} if `dtype` isn't F32, F16 or BF16, or if a length doesn't fit
 *
 * @example
 * ```ts
 * import { decodeToFloat32, encodeFromFloat32 } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeFromFloat32(new Float32Array([1, 1 / 3]), "BF16");
 * assertEquals(bytes.length, 4);
 * assertEquals([...decodeToFloat32(bytes, "BF16")], [1, 0.333984375]);
 * ```
 */
export function decodeToFloat32(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: ElementType,
  { into }: { into?: Float32Array<ArrayBuffer> } = {},
): Float32Array<ArrayBuffer> {
  requireFloatType(dtype, "read");
  const size = ELEMENT_BYTES[dtype];
  const count = bytes.length / size;
  if (!Number.isInteger(count)) {
    throw new Error(`Cannot read ${bytes.length} bytes as ${dtype}: give a multiple of ${size} bytes`);
  }
  const target = into ?? new Float32Array(count);
  if (target.length !== count) {
    throw new Error(`Cannot read ${count} numbers into an array of ${target.length}: give one of ${count}`);
  }
  if (dtype === "F32") {
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
    return target;
  }
  const { buffer, byteOffset } = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  if (dtype === "F16") {
    target.set(new Float16Array(buffer, byteOffset, count));
    return target;
  }
  // A bfloat16 is the upper half of a float32.
  const halves = new Uint16Array(buffer, byteOffset, count);
  const words = new Uint32Array(target.buffer, target.byteOffset, count);
  for (let i = 0; i < count; i++) words[i] = halves[i]! << 16;
  return target;
}

/**
 * Narrows float32 numbers to a stored type, rounding to the nearest and ties to even.
 *
 * Finite numbers beyond ±65504 become ±65504 in F16; infinities and NaN stay what they are in every type.
 *
 * @param values the numbers
 * @param dtype the type to store them in
 * @returns their bytes; for F32 a view of `values`, for the others new ones
 * @throws {Error} if `dtype` isn't F32, F16 or BF16
 */
export function encodeFromFloat32(
  values: Float32Array<ArrayBuffer>,
  dtype: ElementType,
): Uint8Array<ArrayBuffer> {
  requireFloatType(dtype, "write");
  if (dtype === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const halves = dtype === "BF16" ? toBfloat16(values) : toFloat16(values);
  return new Uint8Array(halves.buffer);
}

const MAX_FLOAT16 = 65504;

function toFloat16(values: Float32Array): Float16Array<ArrayBuffer> {
  const halves = new Float16Array(values);
  for (let i = 0; i < values.length; i++) {
    const overflowed = Math.abs(halves[i]!) === Infinity && Math.abs(values[i]!) !== Infinity;
    if (overflowed) halves[i] = Math.sign(values[i]!) * MAX_FLOAT16;
  }
  return halves;
}

function toBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const word = words[i]!;
    const upper = word >>> 16;
    // Adding just under half of the last place carries where the lower half is above it, or at it and `upper` odd.
    // A NaN could carry into an infinity: it is cut instead, and its quiet bit set.
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = isNaN ? upper | 0x40 : (word + 0x7fff + (upper & 1)) >>> 16;
  }
  return halves;
}

function requireFloatType(dtype: string, verb: "read" | "write"): asserts dtype is FloatType {
  if (!isFloatType(dtype)) {
    throw new Error(`Cannot ${verb} numbers of type ${dtype}: only F32, F16 and BF16 are supported`);
  }
}
