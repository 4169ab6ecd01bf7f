/** A reader of GGUF files, written from the format's specification, for what the tests wrote. */
import { assertEquals } from "@std/assert";

/** What a file holds. */
export interface GgufFile {
  metadata: Map<string, unknown>;
  /** Type number of each key's value, and of an array's entries. */
  types: Map<string, number[]>;
  tensors: Map<string, { shape: number[]; type: number; start: number; bytes: Uint8Array<ArrayBuffer> }>;
}

/** Reads a file; fails if it has anything but what the header announces, or data that isn't aligned to 32. */
export function readGguf(bytes: Uint8Array<ArrayBuffer>): GgufFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const skip = (count: number) => (at += count) - count;
  const uint32 = () => view.getUint32(skip(4), true);
  const uint64 = () => Number(view.getBigUint64(skip(8), true));
  const text = () => {
    const length = uint64();
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at, at += length));
  };
  const scalars: Record<number, () => unknown> = {
    4: uint32,
    5: () => view.getInt32(skip(4), true),
    6: () => view.getFloat32(skip(4), true),
    7: () => view.getUint8(skip(1)) === 1,
    8: text,
  };

  assertEquals(new TextDecoder().decode(bytes.subarray(0, skip(4) + 4)), "GGUF");
  assertEquals(uint32(), 3);
  const [tensorCount, keyCount] = [uint64(), uint64()];
  const metadata = new Map<string, unknown>();
  const types = new Map<string, number[]>();
  for (let i = 0; i < keyCount; i++) {
    const key = text();
    const type = uint32();
    const entryType = type === 9 ? uint32() : undefined;
    types.set(key, entryType === undefined ? [type] : [type, entryType]);
    metadata.set(
      key,
      entryType === undefined
        ? scalars[type]!()
        : Array.from({ length: uint64() }, () => scalars[entryType]!()),
    );
  }
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const shape = Array.from({ length: uint32() }, uint64).reverse();
    return { name, shape, type: uint32(), offset: uint64() };
  });
  const dataStart = Math.ceil(at / 32) * 32;
  const tensors: GgufFile["tensors"] = new Map();
  let end = dataStart;
  for (const { name, shape, type, offset } of infos) {
    assertEquals(offset % 32, 0);
    const start = dataStart + offset;
    assertEquals(start, Math.ceil(end / 32) * 32);
    const elements = shape.reduce((a, b) => a * b, 1);
    const length = { 0: elements * 4, 1: elements * 2, 8: elements / 32 * 34, 30: elements * 2 }[type]!;
    end = start + length;
    tensors.set(name, { shape, type, start, bytes: bytes.slice(start, end) });
  }
  assertEquals(bytes.length, Math.ceil(end / 32) * 32);
  return { metadata, types, tensors };
}

/** The numbers of a tensor, whatever its type. */
export function valuesOf({ tensors }: GgufFile, name: string): number[] {
  const { type, bytes } = tensors.get(name)!;
  if (type === 0) return [...new Float32Array(bytes.buffer)];
  if (type === 1) return [...new Float16Array(bytes.buffer)];
  if (type === 30) {
    const words = Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16);
    return [...new Float32Array(words.buffer)];
  }
  return Array.from({ length: bytes.length / 34 }, (_, block) => {
    const view = new DataView(bytes.buffer, 34 * block, 34);
    return Array.from({ length: 32 }, (_, i) => view.getFloat16(0, true) * view.getInt8(2 + i));
  }).flat();
}
