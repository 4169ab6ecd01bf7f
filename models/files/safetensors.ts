/**
 * The safetensors container: eight bytes of header length, a JSON header, then the tensors' bytes back to back.
 * Bytes in, bytes out; reading and writing files is `directory.ts` and `write_directory.ts`.
 *
 * Format: <https://github.com/huggingface/safetensors#format>.
 *
 * @module
 */
import { ELEMENT_BYTES, elementCount, type ElementType } from "./element_types.ts";

/** What a header says of one tensor. */
export interface SafetensorsEntry {
  /** Type of its elements. */
  dtype: ElementType;
  /** Its sizes, outermost first; `[]` is a scalar. */
  shape: number[];
  /** Offset of its first byte, counted from the start of the file. */
  begin: number;
  /** Offset one past its last byte, counted from the start of the file. */
  end: number;
}

/** A parsed header. */
export interface SafetensorsHeader {
  /** Every tensor by name, in the order of the header. */
  tensors: Map<string, SafetensorsEntry>;
  /** The free-form `__metadata__`, empty where the file has none. */
  metadata: Record<string, string>;
}

/** The file that a header belongs to. */
export interface SafetensorsFile {
  /** Size of the whole file in bytes; offsets are checked against it. */
  fileSize: number;
  /** What error messages call the file. */
  name: string;
}

const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000; // the limit of the reference implementation
const FETCH_AGAIN = "the download may be incomplete; fetch it again";

/**
 * Number of bytes from the start of the file to its first tensor, read from the file's first eight bytes.
 *
 * @param bytes the beginning of the file, eight bytes or more
 * @throws {Error} if the file is too short, or the length is more than the file or the format allows
 */
export function safetensorsHeaderSize(bytes: Uint8Array, { fileSize, name }: SafetensorsFile): number {
  if (fileSize < LENGTH_BYTES || bytes.length < LENGTH_BYTES) {
    throw new Error(`${name}: ${fileSize} bytes are too few for a safetensors file; ${FETCH_AGAIN}`);
  }
  if (new TextDecoder().decode(bytes.subarray(0, LENGTH_BYTES)) === "version ") {
    throw new Error(
      `${name}: this is a Git LFS pointer instead of the weights; run "git lfs pull" beside it`,
    );
  }
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw new Error(
      `${name}: header length ${length} is above ${MAX_HEADER_BYTES}; is it a safetensors file?`,
    );
  }
  if (LENGTH_BYTES + length > fileSize) {
    throw new Error(
      `${name}: the header of ${length} bytes ends after the file's ${fileSize}; ${FETCH_AGAIN}`,
    );
  }
  return LENGTH_BYTES + length;
}

/**
 * Reads and checks the header of a safetensors file.
 *
 * @param bytes the beginning of the file, at least {@linkcode safetensorsHeaderSize} of it
 * @throws {Error} if the header isn't valid, or its tensors don't fill the rest of the file exactly: each byte
 * belongs to one tensor, and each tensor's bytes are its shape times its element size
 *
 * @example
 * ```ts
 * import { parseSafetensorsHeader, safetensorsHeader } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const header = safetensorsHeader([{ name: "weight", dtype: "F32", shape: [2, 3] }]);
 * const fileSize = header.length + 24;
 * const { tensors } = parseSafetensorsHeader(header, { fileSize, name: "model.safetensors" });
 * assertEquals(tensors.get("weight")?.shape, [2, 3]);
 * assertEquals(tensors.get("weight")?.end, fileSize);
 * ```
 */
export function parseSafetensorsHeader(bytes: Uint8Array, file: SafetensorsFile): SafetensorsHeader {
  const { fileSize, name } = file;
  const dataStart = safetensorsHeaderSize(bytes, file);
  if (bytes.length < dataStart) {
    throw new Error(`${name}: ${bytes.length} bytes were given of a header of ${dataStart}; pass all of it`);
  }
  const { __metadata__: metadata = {}, ...entries } = parseJson(
    bytes.subarray(LENGTH_BYTES, dataStart),
    name,
  );
  if (!isRecord(metadata)) throw new Error(`${name}: __metadata__ is not an object; ${FETCH_AGAIN}`);

  const tensors = new Map<string, SafetensorsEntry>();
  for (const [tensor, entry] of Object.entries(entries)) {
    tensors.set(tensor, parseEntry(entry, { label: `${name}: tensor ${tensor}`, dataStart, fileSize }));
  }
  checkNoHoles(tensors, { dataStart, fileSize, name });
  return { tensors, metadata: metadata as Record<string, string> };
}

/**
 * The bytes that precede the tensors in a safetensors file, so that these can be written after it one by one.
 *
 * Tensors follow in the order given, without gaps; the header's length is a multiple of eight.
 *
 * @param tensors name, element type and sizes of each tensor
 * @param metadata free-form texts; the default is what PyTorch's loaders look for
 * @throws {Error} if two tensors have the same name, or one has the reserved name `__metadata__`
 */
export function safetensorsHeader(
  tensors: readonly { name: string; dtype: ElementType; shape: readonly number[] }[],
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Uint8Array<ArrayBuffer> {
  const entries = new Map<string, unknown>([["__metadata__", metadata]]);
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (entries.has(name)) {
      throw new Error(`Cannot write two tensors named ${name} into one file; rename one`);
    }
    const end = offset + elementCount(shape) * ELEMENT_BYTES[dtype];
    entries.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20); // padding is spaces
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, LENGTH_BYTES);
  return bytes;
}

function parseJson(bytes: Uint8Array, name: string): Record<string, unknown> {
  let text: string, header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw new Error(`${name}: the header is not valid JSON; ${FETCH_AGAIN}`);
  }
  if (!isRecord(header)) throw new Error(`${name}: the header is not a JSON object; ${FETCH_AGAIN}`);
  const twice = firstRepeatedKey(text);
  if (twice !== undefined) {
    throw new Error(`${name}: tensor ${twice} is listed twice; write the file again with one of them`);
  }
  return header;
}

// JSON.parse keeps the last of two equal keys silently, so they are looked for in the text.
function firstRepeatedKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === "{") depth++;
    else if (token === "}") depth--;
    else if (depth === 1) { // every value at this depth is an object, so a string here is a key
      const key: string = JSON.parse(token);
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
}

function parseEntry(
  entry: unknown,
  { label, dataStart, fileSize }: { label: string; dataStart: number; fileSize: number },
): SafetensorsEntry {
  if (!isRecord(entry)) throw new Error(`${label}: its entry is not an object; ${FETCH_AGAIN}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    const known = Object.keys(ELEMENT_BYTES).join(", ");
    throw new Error(`${label}: unknown dtype ${JSON.stringify(dtype)}; convert it to one of ${known}`);
  }
  if (!isSizes(shape)) {
    throw new Error(`${label}: shape ${JSON.stringify(shape)} is not a list of sizes; ${FETCH_AGAIN}`);
  }
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw new Error(`${label}: data_offsets ${JSON.stringify(offsets)} are not two offsets; ${FETCH_AGAIN}`);
  }
  const [begin, end] = [dataStart + offsets[0]!, dataStart + offsets[1]!];
  if (begin > end) throw new Error(`${label}: data_offsets [${offsets}] run backwards; ${FETCH_AGAIN}`);
  if (end > fileSize) {
    throw new Error(`${label}: its bytes end at ${end}, the file at ${fileSize}; ${FETCH_AGAIN}`);
  }
  const wanted = elementCount(shape) * ELEMENT_BYTES[dtype as ElementType];
  if (end - begin !== wanted) {
    throw new Error(
      `${label}: ${dtype} [${shape}] takes ${wanted} bytes, not ${end - begin}; ${FETCH_AGAIN}`,
    );
  }
  return { dtype: dtype as ElementType, shape, begin, end };
}

function checkNoHoles(
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  { dataStart, fileSize, name }: { dataStart: number; fileSize: number; name: string },
): void {
  let position = dataStart;
  let previous = "the header";
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [tensor, { begin, end }] of inOrder) {
    if (begin < position) {
      throw new Error(`${name}: tensors ${previous} and ${tensor} overlap at byte ${begin}; ${FETCH_AGAIN}`);
    }
    if (begin > position) {
      throw new Error(
        `${name}: bytes ${position} to ${begin}, before tensor ${tensor}, belong to no tensor; ${FETCH_AGAIN}`,
      );
    }
    position = end;
    previous = tensor;
  }
  if (position !== fileSize) {
    throw new Error(
      `${name}: the last ${
        fileSize - position
      } bytes, after ${previous}, belong to no tensor; ${FETCH_AGAIN}`,
    );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
