/** Parameter sets: all tensors of a model pooled in a few buffers, so that the optimizer takes a few dispatches. */
import { createStorage, type Device, maximumBindingBytes, withMemoryCheck } from "./device.ts";
import { bytesOf, externalTensor, type Tensor } from "./tensor.ts";

/** A tensor of a model: its name and shape. */
export interface ParameterSpec {
  /** Unique in the model. */
  readonly name: string;
  /** Sizes, outermost first. Weight decay applies to tensors of two or more dimensions. */
  readonly shape: readonly number[];
  /** How it is stored; bfloat16 is for weights that are not trained. Default f32. */
  readonly dtype?: "f32" | "bf16";
}

/** Where each tensor of a model lies; sets of the same layout can be combined element by element. */
export interface ParameterLayout {
  /** The pooled buffers: bytes in each, and how many elements from its start weight decay applies to. */
  readonly segments: readonly { readonly bytes: number; readonly decayed: number }[];
  /** Segment and byte offset of each tensor. */
  readonly entries: ReadonlyMap<
    string,
    {
      readonly segment: number;
      readonly offset: number;
      readonly shape: readonly number[];
      readonly dtype: "f32" | "bf16";
    }
  >;
}

/** One value for every parameter: weights, gradients or moments. */
export interface ParameterSet {
  /** Shared by all sets of a model. */
  readonly layout: ParameterLayout;
  /** One buffer a segment. */
  readonly buffers: readonly GPUBuffer[];
  /** The tensors by name. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Bytes on the device. */
  readonly bytes: number;
}

const ALIGNMENT = 256;

/**
 * Lays tensors out in pooled segments, those that decay first.
 *
 * @param options.maximumBytes The most that a segment may hold; a single tensor may not exceed it.
 * @throws If a tensor is larger than that, or a name occurs twice.
 */
export function layoutParameters(
  specs: readonly ParameterSpec[],
  { maximumBytes }: { maximumBytes: number },
): ParameterLayout {
  const entries: Map<string, NonNullable<ReturnType<ParameterLayout["entries"]["get"]>>> = new Map();
  const segments: { bytes: number; decayed: number }[] = [];
  const decays = ({ shape }: ParameterSpec) => shape.length >= 2;
  for (const spec of [...specs.filter(decays), ...specs.filter((spec) => !decays(spec))]) {
    const { shape, dtype = "f32" } = spec;
    const bytes = Math.ceil(bytesOf({ shape, dtype }) / ALIGNMENT) * ALIGNMENT;
    if (bytes > maximumBytes) {
      throw new RangeError(
        `The tensor ${spec.name} [${spec.shape}] takes ${bytes} bytes; one binding of this device holds ${maximumBytes}`,
      );
    }
    if (entries.has(spec.name)) throw new Error(`layoutParameters: two tensors are named ${spec.name}`);
    let segment = segments.at(-1);
    if (segment === undefined || segment.bytes + bytes > maximumBytes) {
      segments.push(segment = { bytes: 0, decayed: 0 });
    }
    entries.set(spec.name, { segment: segments.length - 1, offset: segment.bytes, shape, dtype });
    segment.bytes += bytes;
    if (decays(spec)) segment.decayed = segment.bytes / 4;
  }
  return { segments, entries };
}

/**
 * Allocates a zeroed parameter set.
 *
 * @param options.label For messages, such as "policy" or "first moments".
 * @param options.gradients The set that collects the gradients of this one, if it is trained.
 * @throws If the device lacks the memory, in bytes.
 */
export async function createParameters(
  device: Device,
  options: { layout: ParameterLayout; label: string; gradients?: ParameterSet },
): Promise<ParameterSet> {
  const { layout, label, gradients } = options;
  const bytes = layout.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const buffers = await withMemoryCheck(device, {
    bytes,
    what: `the ${label}`,
    allocate: () => layout.segments.map(({ bytes: size }) => createStorage(device, { size, label })),
  });
  const tensors = new Map<string, Tensor>();
  for (const [name, { segment, offset, shape, dtype }] of layout.entries) {
    const gradient = gradients?.tensors.get(name);
    tensors.set(
      name,
      externalTensor(buffers[segment]!, {
        shape,
        dtype,
        offset,
        label: name,
        ...(gradient ? { gradient } : {}),
      }),
    );
  }
  return { layout, buffers, tensors, bytes };
}

/** The largest segment that a device can bind. */
export function maximumSegmentBytes(device: Device): number {
  return Math.floor(maximumBindingBytes(device) / ALIGNMENT) * ALIGNMENT;
}

/** Copies all of one set to another of the same layout, on the device. */
export function copyParameters(device: Device, { from, to }: { from: ParameterSet; to: ParameterSet }): void {
  const encoder = device.gpu.createCommandEncoder();
  from.buffers.forEach((buffer, i) => encoder.copyBufferToBuffer(buffer, 0, to.buffers[i]!, 0, buffer.size));
  device.gpu.queue.submit([encoder.finish()]);
}

/** Sets all of a set to zero, on the device. */
export function clearParameters(device: Device, set: ParameterSet): void {
  const encoder = device.gpu.createCommandEncoder();
  for (const buffer of set.buffers) encoder.clearBuffer(buffer);
  device.gpu.queue.submit([encoder.finish()]);
}
