/**
 * ggml's 8-bit quantization.
 *
 * @module
 */

/** Numbers that share a scale. */
export const Q8_0_BLOCK = 32;
/** Bytes of such a block: a float16 scale and a signed byte a number. */
export const Q8_0_BLOCK_BYTES = 2 + Q8_0_BLOCK;

const LARGEST = 127;

/**
 * Quantizes to blocks of 32 numbers, as ggml's `quantize_row_q8_0_ref` does, bit for bit.
 *
 * With m the largest magnitude of a block: d = m / 127, q = round(x · (1 / d)), halves away from zero, all in
 * float32; d is then stored as float16. A reader takes q · d for x, so that an error is at most d / 2 plus what
 * the float16 scale is off.
 *
 * @param values a multiple of 32 finite numbers
 * @returns 34 bytes a block
 * @throws {Error} if there are other than whole blocks, or a scale is beyond float16
 *
 * @example
 * ```ts
 * import { quantizeQ8_0 } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = quantizeQ8_0(Float32Array.from({ length: 32 }, (_, i) => 127 - i));
 * assertEquals(new Float16Array(bytes.buffer, 0, 1)[0], 1); // the scale
 * assertEquals([...new Int8Array(bytes.buffer, 2, 3)], [127, 126, 125]);
 * ```
 */
export function quantizeQ8_0(values: Float32Array): Uint8Array<ArrayBuffer> {
  const blocks = values.length / Q8_0_BLOCK;
  if (!Number.isInteger(blocks)) {
    throw new Error(`Cannot quantize ${values.length} numbers to Q8_0: give a multiple of ${Q8_0_BLOCK}`);
  }
  const bytes = new Uint8Array(blocks * Q8_0_BLOCK_BYTES);
  const scales = new Float16Array(bytes.buffer); // a block takes an even number of bytes
  const quants = new Int8Array(bytes.buffer);
  for (let block = 0; block < blocks; block++) {
    const start = block * Q8_0_BLOCK;
    let largest = 0;
    for (let i = start; i < start + Q8_0_BLOCK; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = Math.fround(largest / LARGEST);
    const at = block * Q8_0_BLOCK_BYTES;
    scales[at / 2] = scale;
    if (!Number.isFinite(scales[at / 2])) {
      throw new Error(`Cannot quantize numbers as large as ${largest} to Q8_0: its scales are float16`);
    }
    // Infinite where the scale is zero or nearly so; an Int8Array takes what comes of it, infinities and NaN, as 0.
    const inverse = Math.fround(1 / scale);
    for (let i = 0; i < Q8_0_BLOCK; i++) {
      const scaled = Math.fround(values[start + i]! * inverse);
      // Math.round takes halves up; float64 holds the sum exactly.
      const magnitude = Math.floor(Math.abs(scaled) + 0.5);
      quants[at + 2 + i] = scaled < 0 ? -magnitude : magnitude;
    }
  }
  return bytes;
}
