/** Tensors: a shape over some memory of the device. */

/** What an element of a tensor is: four bytes, or two of bfloat16, which frozen weights may be stored in. */
export type DType = "f32" | "u32" | "i32" | "bf16";

/**
 * Where a tensor's bytes are. Tensors that share a storage share its lifetime.
 *
 * - `external`: a buffer that outlives the program (weights, optimizer moments).
 * - `input`: written by the host before each run.
 * - `temporary`: placed by the memory plan, alive from its first to its last use.
 * - `output`: kept until the end of the run and read back by the host.
 */
export interface Storage {
  /** How the memory is provided. */
  kind: "external" | "input" | "temporary" | "output";
  /** Bytes of the whole storage. */
  readonly bytes: number;
  /** For messages and profiles. */
  readonly label: string;
  /** The buffer, once known: at once for external storage, after compilation for the others. */
  buffer?: GPUBuffer;
  /** Byte offset of the storage within `buffer`. */
  offset: number;
}

/** A shape over a storage. Row-major and contiguous. */
export interface Tensor {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Element type. */
  readonly dtype: DType;
  /** The memory. */
  readonly storage: Storage;
  /** Byte offset within the storage. */
  readonly offset: number;
  /** For a trainable parameter: where its gradient is accumulated. */
  readonly gradient?: Tensor;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of one element. */
export function elementBytes(dtype: DType): number {
  return dtype === "bf16" ? 2 : 4;
}

/** Number of bytes of a tensor. */
export function bytesOf({ shape, dtype }: Pick<Tensor, "shape" | "dtype">): number {
  return sizeOf(shape) * elementBytes(dtype);
}

/**
 * A tensor over a buffer that the caller owns.
 *
 * @param buffer The buffer, created with `STORAGE` usage.
 * @param options.offset Byte offset, a multiple of 256.
 * @param options.gradient Where the gradient is accumulated, if the tensor is trained.
 */
export function externalTensor(
  buffer: GPUBuffer,
  options: { shape: readonly number[]; dtype?: DType; offset?: number; label?: string; gradient?: Tensor },
): Tensor {
  const { shape, dtype = "f32", offset = 0, label = buffer.label, gradient } = options;
  const storage: Storage = { kind: "external", bytes: bytesOf({ shape, dtype }), label, buffer, offset };
  return { shape, dtype, storage, offset: 0, ...(gradient ? { gradient } : {}) };
}

/** The same memory seen with another shape of the same size. */
export function reshape(tensor: Tensor, shape: readonly number[]): Tensor {
  if (sizeOf(shape) !== sizeOf(tensor.shape)) {
    throw new RangeError(
      `reshape: [${tensor.shape}] has ${sizeOf(tensor.shape)} elements, [${shape}] has ${sizeOf(shape)}`,
    );
  }
  return { ...tensor, shape };
}

/** Rows `start` to `end` (exclusive) of the outermost dimension, sharing memory. The byte offset must be a multiple of 256. */
export function rows(tensor: Tensor, start: number, end: number): Tensor {
  const [count = 0, ...rest] = tensor.shape;
  if (start < 0 || end > count || start >= end) {
    throw new RangeError(`rows: ${start}…${end} is not within [${tensor.shape}]`);
  }
  const offset = tensor.offset + start * bytesOf({ shape: rest, dtype: tensor.dtype });
  if (offset % 256 !== 0) throw new RangeError(`rows: byte offset ${offset} is not a multiple of 256`);
  const { gradient: _, ...view } = tensor;
  return { ...view, shape: [end - start, ...rest], offset };
}
