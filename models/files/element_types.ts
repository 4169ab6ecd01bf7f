/**
 * The element types of safetensors files and the bytes they take.
 *
 * @module
 */

/** Name of an element type as a safetensors header spells it. */
export type ElementType =
  | ("BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0")
  | ("I16" | "U16" | "F16" | "BF16")
  | ("I32" | "U32" | "F32")
  | ("I64" | "U64" | "F64" | "C64");

/** Bytes that one element of each {@linkcode ElementType} takes. */
export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
};

/** Number of elements of a tensor with these sizes; 1 for a scalar's `[]`. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
