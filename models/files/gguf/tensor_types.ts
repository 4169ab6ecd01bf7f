/**
 * The element types of GGUF tensors that are written here.
 *
 * @module
 */
import { encodeFromFloat32 } from "../floats.ts";
import { Q8_0_BLOCK, Q8_0_BLOCK_BYTES, quantizeQ8_0 } from "./q8_0.ts";

/** An element type of a GGUF tensor, by ggml's name. */
export type GgmlType = "F32" | "F16" | "BF16" | "Q8_0";

/** What a {@linkcode GgmlType} is in a file. */
export interface GgmlTypeInfo {
  /** ggml's number of the type. */
  readonly id: number;
  /** llama.cpp's number of a file whose matrices have this type, `general.file_type`. */
  readonly fileType: number;
  /** Elements that are stored together; the innermost size of a tensor is a multiple of it. */
  readonly blockElements: number;
  /** Bytes that those take. */
  readonly blockBytes: number;
}

/** The types by name. */
export const GGML_TYPES: Readonly<Record<GgmlType, GgmlTypeInfo>> = {
  F32: { id: 0, fileType: 0, blockElements: 1, blockBytes: 4 },
  F16: { id: 1, fileType: 1, blockElements: 1, blockBytes: 2 },
  BF16: { id: 30, fileType: 32, blockElements: 1, blockBytes: 2 },
  Q8_0: { id: 8, fileType: 7, blockElements: Q8_0_BLOCK, blockBytes: Q8_0_BLOCK_BYTES },
};

/** Bytes that `elements` numbers take; `elements` is a multiple of the type's block. */
export function ggmlBytes(elements: number, type: GgmlType): number {
  const { blockElements, blockBytes } = GGML_TYPES[type];
  return elements / blockElements * blockBytes;
}

/**
 * The type in which a tensor is stored in a file of type `wanted`.
 *
 * Vectors (norms, biases) stay F32, which is all that llama.cpp takes there. A matrix whose rows are not whole
 * blocks can't be quantized and becomes F16.
 *
 * @param shape the tensor's sizes, outermost first
 */
export function storedType(shape: readonly number[], wanted: GgmlType): GgmlType {
  if (shape.length < 2) return "F32";
  return shape.at(-1)! % GGML_TYPES[wanted].blockElements === 0 ? wanted : "F16";
}

/** Converts numbers to the bytes of a type; for F32 a view of `values`. */
export function encodeGgml(values: Float32Array<ArrayBuffer>, type: GgmlType): Uint8Array<ArrayBuffer> {
  return type === "Q8_0" ? quantizeQ8_0(values) : encodeFromFloat32(values, type);
}
