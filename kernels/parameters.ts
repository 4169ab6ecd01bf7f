/** Parameter sets: all tensors of a model pooled in a few buffers, so that the optimizer takes a few dispatches. */
import { createStorage, type Device, maximumBindingBytes, withMemoryCheck } from "./device.ts";
import { encodeCommands } from "./submission.ts";
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

/** Where some rows of a tensor lie. */
export interface ParameterPiece {
  /** The pooled buffer. */
  readonly segment: number;
  /** Bytes before them there. */
  readonly offset: number;
  /** The first row. */
  readonly start: number;
  /** How many. */
  readonly rows: number;
}

/** Where each tensor of a model lies; sets of the same layout can be combined element by element. */
export interface ParameterLayout {
  /** The pooled buffers: bytes in each, and how many elements from its start weight decay applies to. */
  readonly segments: readonly { readonly bytes: number; readonly decayed: number }[];
  /** Each tensor: its sizes, how it is stored, and its pieces, of which there are several only if one binding can't hold it. */
  readonly entries: ReadonlyMap<
    string,
    {
      readonly shape: readonly number[];
      readonly dtype: "f32" | "bf16";
      readonly pieces: readonly ParameterPiece[];
    }
  >;
}

/** One value for every parameter: weights, gradients or moments. */
export interface ParameterSet {
  /** Shared by all sets of a model. */
  readonly layout: ParameterLayout;
  /** One buffer a segment. */
  readonly buffers: readonly GPUBuffer[];
  /** The tensors by name, but for those that are in several pieces. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** A tensor, or its pieces from the first row to the last. */
  get(name: string): Tensor | readonly Tensor[] | undefined;
  /** Bytes on the device. */
  readonly bytes: number;
}

const ALIGNMENT = 256;
/** Rows of a matrix that stay together where it is cut, so that kernels can go on reading four results at a time. */
const ROWS_TOGETHER = 64;

/**
 * Lays tensors out in pooled segments, those that decay first. A matrix that no segment can hold is cut between rows.
 *
 * @param options.maximumBytes The most that a segment may hold.
 * @throws If a name occurs twice, or a row or vector is larger than a segment.
 */
export function layoutParameters(
  specs: readonly ParameterSpec[],
  { maximumBytes }: { maximumBytes: number },
): ParameterLayout {
  const entries: Map<string, NonNullable<ReturnType<ParameterLayout["entries"]["get"]>>> = new Map();
  const segments: { bytes: number; decayed: number }[] = [];
  const place = (bytes: number) => {
    let segment = segments.at(-1);
    if (segment === undefined || segment.bytes + bytes > maximumBytes) {
      segments.push(segment = { bytes: 0, decayed: 0 });
    }
    const offset = segment.bytes;
    segment.bytes += bytes;
    return { segment, offset, index: segments.length - 1 };
  };
  const decays = ({ shape }: ParameterSpec) => shape.length >= 2;
  for (const spec of [...specs.filter(decays), ...specs.filter((spec) => !decays(spec))]) {
    const { name, shape, dtype = "f32" } = spec;
    if (entries.has(name)) throw new Error(`layoutParameters: two tensors are named ${name}`);
    const rowBytes = bytesOf({ shape: shape.slice(1), dtype });
    // Kernels that read bfloat16 by way of a float32 copy bind that in one piece as well.
    const widestRow = bytesOf({ shape: shape.slice(1), dtype: "f32" });
    const fitting = rowsThatFit(spec, { rowBytes: widestRow, maximumBytes });
    const pieces: ParameterPiece[] = [];
    for (let start = 0; start < shape[0]!; start += fitting) {
      const rows = Math.min(fitting, shape[0]! - start);
      const { segment, offset, index } = place(Math.ceil(rows * rowBytes / ALIGNMENT) * ALIGNMENT);
      if (decays(spec)) segment.decayed = segment.bytes / 4;
      pieces.push({ segment: index, offset, start, rows });
    }
    entries.set(name, { shape, dtype, pieces });
  }
  return { segments, entries };
}

/** Rows of a tensor that go into one segment: all, or so many that pieces begin where vectors of four do. */
function rowsThatFit(
  { name, shape }: ParameterSpec,
  { rowBytes, maximumBytes }: { rowBytes: number; maximumBytes: number },
): number {
  const bytes = shape[0]! * rowBytes;
  if (Math.ceil(bytes / ALIGNMENT) * ALIGNMENT <= maximumBytes) return shape[0]!;
  const rows = Math.floor(maximumBytes / rowBytes / ROWS_TOGETHER) * ROWS_TOGETHER;
  if (shape.length === 2 && rows > 0) return rows;
  throw new RangeError(
    `The tensor ${name} [${shape}] takes ${bytes} bytes and can't be cut; one binding of this device holds ${maximumBytes}`,
  );
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
  const cut = new Map<string, Tensor[]>();
  for (const [name, { shape: [, ...rest], shape, dtype, pieces }] of layout.entries) {
    const collected = [gradients?.get(name) ?? []].flat();
    const parts = pieces.map(({ segment, offset, rows }, i) => {
      const gradient = collected[i];
      return externalTensor(buffers[segment]!, {
        shape: pieces.length === 1 ? shape : [rows, ...rest],
        dtype,
        offset,
        label: name,
        ...(gradient ? { gradient } : {}),
      });
    });
    if (parts.length === 1) tensors.set(name, parts[0]!);
    else cut.set(name, parts);
  }
  return { layout, buffers, tensors, bytes, get: (name) => tensors.get(name) ?? cut.get(name) };
}

/** The largest segment that a device can bind. */
export function maximumSegmentBytes(device: Device): number {
  return Math.floor(maximumBindingBytes(device) / ALIGNMENT) * ALIGNMENT;
}

/** Copies all of one set to another of the same layout, on the device. */
export function copyParameters(device: Device, { from, to }: { from: ParameterSet; to: ParameterSet }): void {
  encodeCommands(device, (encoder) => {
    from.buffers.forEach((buffer, i) =>
      encoder.copyBufferToBuffer(buffer, 0, to.buffers[i]!, 0, buffer.size)
    );
  });
}

/** Sets all of a set to zero, on the device. */
export function clearParameters(device: Device, set: ParameterSet): void {
  encodeCommands(device, (encoder) => {
    for (const buffer of set.buffers) encoder.clearBuffer(buffer);
  });
}
