/**
 * The GGUF file format, version 3, that llama.cpp reads: metadata, a list of tensors, their bytes.
 *
 * Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 *
 * @module
 */
import { elementCount } from "../element_types.ts";
import { GGML_TYPES, ggmlBytes, type GgmlType } from "./tensor_types.ts";

/** A value of the metadata; the classes of numbers say which type it has in the file. */
export type GgufValue =
  | string
  | boolean
  | { readonly uint32: number }
  | { readonly float32: number }
  | readonly string[]
  | Float32Array
  | Int32Array;

/** Metadata by key, such as `general.architecture`. */
export type GgufMetadata = Readonly<Record<string, GgufValue>>;

/** Name, sizes and type of a tensor in the file. */
export interface GgufTensorInfo {
  /** Its name in the file. */
  readonly name: string;
  /** Its sizes, outermost first as everywhere here; the file has them innermost first. */
  readonly shape: readonly number[];
  /** Its type. */
  readonly type: GgmlType;
}

/** Every tensor's first byte is at a multiple of this. */
export const GGUF_ALIGNMENT = 32;

const MAGIC = 0x46554747; // "GGUF"
const VERSION = 3;
const VALUE_TYPES = { uint32: 4, int32: 5, float32: 6, boolean: 7, string: 8, array: 9 };
const MAX_DIMENSIONS = 4;
const MAX_NAME_BYTES = 63; // ggml keeps names in 64 bytes, the last of them zero

/** Number of zero bytes that follow `bytes` bytes of data, so that the next tensor is aligned. */
export function ggufPadding(bytes: number): number {
  return (GGUF_ALIGNMENT - bytes % GGUF_ALIGNMENT) % GGUF_ALIGNMENT;
}

/**
 * The bytes of a GGUF file that precede its tensors' data, padding included.
 *
 * The data follows in the order given, each tensor padded with {@linkcode ggufPadding} zeros.
 *
 * @throws {Error} if two tensors have one name, or a name or the number of sizes is beyond what ggml takes
 *
 * @example
 * ```ts
 * import { ggufHeader } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tensors = [{ name: "output_norm.weight", shape: [64], type: "F32" as const }];
 * const bytes = ggufHeader({ "general.architecture": "llama" }, tensors);
 * assertEquals(new TextDecoder().decode(bytes.subarray(0, 4)), "GGUF");
 * assertEquals(bytes.length % 32, 0);
 * ```
 */
export function ggufHeader(
  metadata: GgufMetadata,
  tensors: readonly GgufTensorInfo[],
): Uint8Array<ArrayBuffer> {
  checkTensorInfos(tensors);
  const entries = Object.entries(metadata);
  const bytes = createBytes();
  bytes.uint32(MAGIC);
  bytes.uint32(VERSION);
  bytes.uint64(tensors.length);
  bytes.uint64(entries.length);
  for (const [key, value] of entries) {
    bytes.string(key);
    writeValue(bytes, value);
  }
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    bytes.string(name);
    bytes.uint32(shape.length);
    for (const size of shape.toReversed()) bytes.uint64(size);
    bytes.uint32(GGML_TYPES[type].id);
    bytes.uint64(offset);
    const length = ggmlBytes(elementCount(shape), type);
    offset += length + ggufPadding(length);
  }
  return bytes.finish();
}

function checkTensorInfos(tensors: readonly GgufTensorInfo[]): void {
  const names = new Set<string>();
  for (const { name, shape } of tensors) {
    if (names.has(name)) throw new Error(`Cannot write two tensors named ${name} into one file; rename one`);
    names.add(name);
    if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
      throw new Error(`Tensor name ${name} is too long: ggml takes at most ${MAX_NAME_BYTES} bytes`);
    }
    if (shape.length < 1 || shape.length > MAX_DIMENSIONS) {
      throw new Error(`Tensor ${name} has ${shape.length} sizes: ggml takes 1 to ${MAX_DIMENSIONS}`);
    }
  }
}

function writeValue(bytes: Bytes, value: GgufValue): void {
  if (typeof value === "string") {
    bytes.uint32(VALUE_TYPES.string);
    bytes.string(value);
  } else if (typeof value === "boolean") {
    bytes.uint32(VALUE_TYPES.boolean);
    bytes.raw(Uint8Array.of(value ? 1 : 0));
  } else if (value instanceof Float32Array || value instanceof Int32Array) {
    writeArrayStart(bytes, value instanceof Float32Array ? "float32" : "int32", value.length);
    bytes.raw(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if ("uint32" in value) {
    bytes.uint32(VALUE_TYPES.uint32);
    bytes.uint32(value.uint32);
  } else if ("float32" in value) {
    bytes.uint32(VALUE_TYPES.float32);
    bytes.raw(new Uint8Array(Float32Array.of(value.float32).buffer));
  } else {
    writeArrayStart(bytes, "string", value.length);
    for (const text of value) bytes.string(text);
  }
}

function writeArrayStart(bytes: Bytes, type: "float32" | "int32" | "string", length: number): void {
  bytes.uint32(VALUE_TYPES.array);
  bytes.uint32(VALUE_TYPES[type]);
  bytes.uint64(length);
}

interface Bytes {
  uint32(value: number): void;
  uint64(value: number): void;
  string(value: string): void;
  raw(value: Uint8Array): void;
  finish(): Uint8Array<ArrayBuffer>;
}

/** Bytes that grow at their end, little-endian. */
function createBytes(): Bytes {
  const encoder = new TextEncoder();
  let bytes = new Uint8Array(1 << 16);
  let length = 0;

  function reserve(count: number): number {
    const start = length;
    length += count;
    if (length > bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * bytes.length));
      larger.set(bytes);
      bytes = larger;
    }
    return start;
  }
  function raw(value: Uint8Array): void {
    const start = reserve(value.length);
    bytes.set(value, start);
  }
  function uint32(value: number): void {
    const start = reserve(4);
    new DataView(bytes.buffer).setUint32(start, value, true);
  }
  function uint64(value: number): void {
    const start = reserve(8);
    new DataView(bytes.buffer).setBigUint64(start, BigInt(value), true);
  }
  function string(value: string): void {
    const text = encoder.encode(value);
    uint64(text.length);
    raw(text);
  }
  function finish(): Uint8Array<ArrayBuffer> {
    reserve(ggufPadding(length));
    return bytes.slice(0, length);
  }
  return { uint32, uint64, string, raw, finish };
}
