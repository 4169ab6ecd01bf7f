/** Weights between a model's files and the device. */
import type { Device } from "../kernels/device.ts";
import type { ParameterSet } from "../kernels/parameters.ts";
import { sizeOf } from "../kernels/tensor.ts";
import type { ModelDirectory } from "./files/directory.ts";
import type { FusedParameter } from "./llama.ts";

/** Elements sent or fetched at a time: 4 MiB, so that the host never holds more of a large tensor. */
const CHUNK_ELEMENTS = 2 ** 20;

/** Reads a tensor of a file piece by piece: calls back with the element offset and the values. */
export type ReadTensor = (
  name: string,
  receive: (offset: number, values: Float32Array<ArrayBuffer>) => void,
) => Promise<void>;

/**
 * Fills a parameter set from the tensors of a file, a chunk at a time.
 *
 * @param options.parameters What the model consists of; `llamaParameters` lists it.
 * @param options.read Delivers each file tensor.
 */
export async function uploadWeights(
  device: Device,
  set: ParameterSet,
  options: { parameters: readonly FusedParameter[]; read: ReadTensor },
): Promise<void> {
  for (const { name, parts } of options.parameters) {
    const { segment, offset } = set.layout.entries.get(name)!;
    let start = offset;
    for (const part of parts) {
      const from = start;
      await options.read(part.name, (at, values) => {
        device.gpu.queue.writeBuffer(set.buffers[segment]!, from + at * 4, values);
      });
      start += sizeOf(part.shape) * 4;
    }
  }
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
    parameters: readonly FusedParameter[];
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

/** The file tensors of a parameter set, to be written or compared. */
export function weightTensors(
  device: Device,
  set: ParameterSet,
  { parameters }: { parameters: readonly FusedParameter[] },
): DeviceTensor[] {
  const staging = lazyStaging(device);
  return parameters.flatMap(({ name, parts }) => {
    const { segment, offset } = set.layout.entries.get(name)!;
    let start = offset;
    return parts.map(({ name, shape }) => {
      const from = start;
      start += sizeOf(shape) * 4;
      return {
        name,
        shape,
        read: (at: number, count: number) =>
          staging.read(set.buffers[segment]!, { offset: from + at * 4, count }),
      };
    });
  });
}

/** Fetches float32 values from a buffer of the device, in chunks through one staging buffer. */
function lazyStaging(device: Device) {
  let buffer: GPUBuffer | undefined;
  return {
    async read(source: GPUBuffer, { offset, count }: { offset: number; count: number }) {
      device.counters.buffers += buffer ? 0 : 1;
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      buffer ??= device.gpu.createBuffer({ label: "weights readback", size: CHUNK_ELEMENTS * 4, usage });
      const values = new Float32Array(count);
      for (let done = 0; done < count; done += CHUNK_ELEMENTS) {
        const bytes = Math.min(CHUNK_ELEMENTS, count - done) * 4;
        const encoder = device.gpu.createCommandEncoder();
        encoder.copyBufferToBuffer(source, offset + done * 4, buffer, 0, bytes);
        device.gpu.queue.submit([encoder.finish()]);
        await buffer.mapAsync(GPUMapMode.READ, 0, bytes);
        values.set(new Float32Array(buffer.getMappedRange(0, bytes)), done);
        buffer.unmap();
      }
      device.check();
      return values;
    },
  };
}

/** All values of a buffer of the device. */
export function readBuffer(device: Device, buffer: GPUBuffer): Promise<Float32Array<ArrayBuffer>> {
  return lazyStaging(device).read(buffer, { offset: 0, count: buffer.size / 4 });
}
