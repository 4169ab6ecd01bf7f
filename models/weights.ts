/** Weights between a model's files and the device. */
import type { Device } from "../kernels/device.ts";
import type { ParameterSet } from "../kernels/parameters.ts";
import { elementBytes, sizeOf } from "../kernels/tensor.ts";
import type { ModelDirectory } from "./files/directory.ts";
import { decodeToFloat32, encodeFromFloat32 } from "./files/floats.ts";
import type { ParameterPart, RowSlice, StoredParameter } from "./parameters.ts";

export type { StoredParameter };

/** Elements sent or fetched at a time: 4 MiB, so that the host never holds more of a large tensor. */
const CHUNK_ELEMENTS = 2 ** 20;

/** Reads a tensor of a file piece by piece: calls back with the element offset and the values. */
export type ReadTensor = (
  name: string,
  receive: (offset: number, values: Float32Array<ArrayBuffer>) => void,
) => Promise<void>;

/**
 * Fills a parameter set from the tensors of a file, a chunk at a time; numbers are rounded where it stores bfloat16.
 *
 * @param options.parameters What the model consists of; `modelParameters` lists it.
 * @param options.read Delivers each file tensor.
 */
export async function uploadWeights(
  device: Device,
  set: ParameterSet,
  options: { parameters: readonly StoredParameter[]; read: ReadTensor },
): Promise<void> {
  for (const { name, parts } of options.parameters) {
    const entry = set.layout.entries.get(name)!;
    const { dtype } = entry;
    let start = 0;
    for (const part of parts) {
      const from = start;
      await options.read(part.name, (at, values) => {
        for (const { source, target, count } of pieces(part, { start: at, count: values.length })) {
          for (const place of placesOf(set, entry, { start: from + target, count })) {
            const piece = values.subarray(source + place.source, source + place.source + place.count);
            const stored = dtype === "bf16" ? encodeFromFloat32(piece, "BF16") : piece;
            device.gpu.queue.writeBuffer(place.buffer, place.element * elementBytes(dtype), stored);
          }
        }
      });
      start += sizeOf(part.shape);
    }
  }
}

/** Numbers of a file's tensor that lie together in the parameter too. */
interface Piece {
  /** Where they begin among those asked for. */
  readonly source: number;
  /** Where they begin in the part of the parameter that is the tensor's. */
  readonly target: number;
  /** How many. */
  readonly count: number;
}

/** Where `count` numbers of a tensor from number `start` on, in the file's order, lie in the parameter. */
function pieces({ shape, slices }: ParameterPart, range: { start: number; count: number }): Piece[] {
  const { start, count } = range;
  if (slices === undefined) return [{ source: 0, target: start, count }];
  const width = sizeOf(shape.slice(1));
  return slices.flatMap(({ from, to, count: rows }: RowSlice) => {
    const first = Math.max(start, from * width);
    const last = Math.min(start + count, (from + rows) * width);
    if (first >= last) return [];
    return [{ source: first - start, target: to * width + first - from * width, count: last - first }];
  });
}

/**
 * Fills a parameter set from a model directory.
 *
 * @param options.prefix What stands before the tensors' names in the file; nothing by default.
 */
export function uploadDirectory(
  device: Device,
  set: ParameterSet,
  options: {
    directory: Pick<ModelDirectory, "readChunks">;
    parameters: readonly StoredParameter[];
    prefix?: string;
  },
): Promise<void> {
  const { directory, parameters, prefix = "" } = options;
  return uploadWeights(device, set, {
    parameters,
    read: (name, receive) => directory.readChunks(prefix + name, { chunkElements: CHUNK_ELEMENTS }, receive),
  });
}

/** A tensor of a file that can be fetched from the device in pieces. */
export interface DeviceTensor {
  /** Name in the file. */
  readonly name: string;
  /** Sizes. */
  readonly shape: readonly number[];
  /** `count` elements from element `offset`. */
  read(offset: number, count: number): Promise<Float32Array<ArrayBuffer>>;
}

/**
 * The file tensors of a parameter set as it is now, to be written or compared.
 *
 * Values are fetched when they are first asked for, in windows of 4 MiB that serve several small tensors: read them before
 * training goes on, and make the list anew to see what it changed.
 */
export function weightTensors(
  device: Device,
  set: ParameterSet,
  { parameters }: { parameters: readonly StoredParameter[] },
): DeviceTensor[] {
  const windows = createWindows(device);
  /** Two numbers of bfloat16 lie in the place of one of float32. */
  const readPacked: typeof windows.read = async (buffer, { offset, count }) => {
    const first = Math.floor(offset / 2);
    const words = await windows.read(buffer, {
      offset: first,
      count: Math.ceil((offset + count) / 2) - first,
    });
    const halves = new Uint8Array(words.buffer).subarray((offset % 2) * 2, (offset % 2 + count) * 2);
    return decodeToFloat32(halves, "BF16");
  };
  return parameters.flatMap(({ name, parts }) => {
    const entry = set.layout.entries.get(name)!;
    return tensorsOf(parts, async (start, count) => {
      const values = new Float32Array(count);
      for (const { buffer, element, source, count: found } of placesOf(set, entry, { start, count })) {
        const read = entry.dtype === "bf16" ? readPacked : windows.read;
        values.set(await read(buffer, { offset: element, count: found }), source);
      }
      return values;
    });
  });
}

/** The tensors that lie in a buffer one after another, as it is when they are first read. */
export function tensorsOfBuffer(
  device: Device,
  buffer: GPUBuffer,
  parts: StoredParameter["parts"],
): DeviceTensor[] {
  const windows = createWindows(device);
  return tensorsOf(parts, (offset, count) => windows.read(buffer, { offset, count }));
}

/** The tensors of a parameter's parts, given how to read numbers of the parameter. */
function tensorsOf(
  parts: StoredParameter["parts"],
  readParameter: (start: number, count: number) => Promise<Float32Array<ArrayBuffer>>,
): DeviceTensor[] {
  let start = 0;
  return parts.map((part) => {
    const { name, shape } = part;
    const from = start;
    start += sizeOf(shape);
    return {
      name,
      shape,
      async read(at: number, count: number) {
        if (part.slices === undefined) return await readParameter(from + at, count);
        const values = new Float32Array(count);
        for (const piece of pieces(part, { start: at, count })) {
          values.set(await readParameter(from + piece.target, piece.count), piece.source);
        }
        return values;
      },
    };
  });
}

/** Where `count` numbers of a parameter from number `start` on lie in the set's buffers. */
function placesOf(
  { buffers }: ParameterSet,
  { shape, dtype, pieces }: NonNullable<ReturnType<ParameterSet["layout"]["entries"]["get"]>>,
  { start, count }: { start: number; count: number },
): { buffer: GPUBuffer; element: number; source: number; count: number }[] {
  const width = sizeOf(shape.slice(1));
  return pieces.flatMap(({ segment, offset, start: row, rows }) => {
    const first = Math.max(start, row * width);
    const last = Math.min(start + count, (row + rows) * width);
    if (first >= last) return [];
    const element = offset / elementBytes(dtype) + first - row * width;
    return [{ buffer: buffers[segment]!, element, source: first - start, count: last - first }];
  });
}

/** All values of a buffer of the device. */
export function readBuffer(device: Device, buffer: GPUBuffer): Promise<Float32Array<ArrayBuffer>> {
  return createWindows(device).read(buffer, { offset: 0, count: buffer.size / 4 });
}

/** Windows of a buffer that are kept on the host at a time: matrices and vectors lie in different ones. */
const KEPT_WINDOWS = 4;

/** Fetches float32 values from buffers of the device through windows, since a wait costs the same for few values as for many. */
function createWindows(device: Device) {
  const kept = new Map<string, Float32Array>();
  const ids = new Map<GPUBuffer, number>();
  let staging: GPUBuffer | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function fetchWindow(source: GPUBuffer, index: number): Promise<Float32Array> {
    const id = ids.get(source) ?? ids.set(source, ids.size).size - 1;
    const key = `${id} ${index}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    device.counters.buffers += staging ? 0 : 1;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    staging ??= device.gpu.createBuffer({ label: "weights readback", size: CHUNK_ELEMENTS * 4, usage });
    const start = index * CHUNK_ELEMENTS * 4;
    const bytes = Math.min(CHUNK_ELEMENTS * 4, source.size - start);
    const encoder = device.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(source, start, staging, 0, bytes);
    device.gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    const values = new Float32Array(staging.getMappedRange(0, bytes).slice(0));
    staging.unmap();
    device.check();
    kept.set(key, values);
    if (kept.size > KEPT_WINDOWS) kept.delete(kept.keys().next().value!);
    return values;
  }

  async function readNow(source: GPUBuffer, { offset, count }: { offset: number; count: number }) {
    const values = new Float32Array(count);
    for (let done = 0; done < count;) {
      const index = Math.floor((offset + done) / CHUNK_ELEMENTS);
      const window = await fetchWindow(source, index);
      const within = offset + done - index * CHUNK_ELEMENTS;
      const part = window.subarray(within, within + count - done);
      values.set(part, done);
      done += part.length;
    }
    return values;
  }

  return {
    /** One read at a time; calls that come meanwhile wait their turn. */
    read(source: GPUBuffer, range: { offset: number; count: number }): Promise<Float32Array<ArrayBuffer>> {
      const turn = last.then(() => readNow(source, range));
      last = turn.catch(() => {});
      return turn;
    },
  };
}
