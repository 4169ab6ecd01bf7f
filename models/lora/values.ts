/** The numbers of an adapter, to and from a parameter set: files have each layer's own rank, the set a common one. */
import type { Device } from "../../kernels/device.ts";
import type { ParameterPiece, ParameterSet } from "../../kernels/parameters.ts";
import { philox } from "../philox.ts";
import { weightTensors } from "../weights.ts";
import { type AdapterLayout, nameOfA, nameOfB } from "./layout.ts";
import { type AdapterTensor, adapterTensors } from "./peft.ts";

/** A tensor of an adapter with its numbers. */
export interface AdapterValues extends Pick<AdapterTensor, "name" | "shape"> {
  /** All of them, row-major. */
  read(): Promise<Float32Array<ArrayBuffer>>;
}

/**
 * Fills a parameter set with an adapter.
 *
 * @param options.read Delivers a tensor of the adapter's file by name.
 */
export async function uploadAdapter(
  device: Device,
  set: ParameterSet,
  options: { layout: AdapterLayout; read: (tensor: AdapterTensor) => Promise<Float32Array> },
): Promise<void> {
  const { layout, read } = options;
  for (const tensor of adapterTensors(layout)) {
    const { place, width, rows, columns, rowOf } = placeOf(layout, tensor);
    const values = await read(tensor);
    const padded = new Float32Array(rows * width);
    const [height, own] = tensor.shape;
    for (let row = 0; row < height; row++) {
      padded.set(values.subarray(row * own, (row + 1) * own), rowOf(row) * width);
    }
    const [{ segment, offset }] = set.layout.entries.get(place)!.pieces as [ParameterPiece];
    device.gpu.queue.writeBuffer(set.buffers[segment]!, offset + columns * 4, padded);
  }
}

/**
 * The numbers of a new adapter, which changes nothing yet: A uniform in ±1/√inputs, as PEFT's `init_lora_weights` draws it
 * (Kaiming, a = √5), B zero. They depend on the seed and the tensor, not on the order of reading.
 */
export function initialAdapter({ seed }: { seed: number }): (tensor: AdapterTensor) => Promise<Float32Array> {
  return ({ name, shape: [rows, columns], matrix }) => {
    const values = new Float32Array(rows * columns);
    if (matrix === "A") {
      const bound = 1 / Math.sqrt(columns);
      const stream = hash(name);
      for (let i = 0; i < values.length; i++) {
        const [word] = philox([i, 0, stream, 1], [seed >>> 0, 0]);
        values[i] = (2 * (word + 0.5) / 2 ** 32 - 1) * bound;
      }
    }
    return Promise.resolve(values);
  };
}

/** The tensors of an adapter as it is now, under the names and in the shapes of PEFT's file. */
export function adapterValues(
  device: Device,
  set: ParameterSet,
  { layout }: { layout: AdapterLayout },
): AdapterValues[] {
  const stored = new Map(
    weightTensors(device, set, { parameters: wholeParameters(layout.specs) }).map((
      tensor,
    ) => [tensor.name, tensor]),
  );
  return adapterTensors(layout).map((tensor) => {
    const { place, width, rows, columns, rowOf } = placeOf(layout, tensor);
    const [height, own] = tensor.shape;
    return {
      name: tensor.name,
      shape: tensor.shape,
      async read() {
        const padded = await stored.get(place)!.read(columns, rows * width);
        const values = new Float32Array(height * own);
        for (let row = 0; row < height; row++) {
          const at = rowOf(row) * width;
          values.set(padded.subarray(at, at + own), row * own);
        }
        return values;
      },
    };
  });
}

/** Parameters that consist of one tensor each, under their own names: for sets that no model's file holds. */
export function wholeParameters<Spec extends { readonly name: string; readonly shape: readonly number[] }>(
  specs: readonly Spec[],
): { name: string; parts: { name: string; shape: readonly number[] }[] }[] {
  return specs.map(({ name, shape }) => ({ name, parts: [{ name, shape }] }));
}

/** Where a tensor of the file lies: the set's tensor, the elements before it, the padded rows, their width and their order. */
function placeOf({ weights }: AdapterLayout, { weight, index, matrix, shape }: AdapterTensor) {
  const { rank, layers } = weights.find(({ name }) => name === weight)!;
  const inOrder = (row: number) => row;
  if (matrix === "A") {
    return {
      place: nameOfA(weight),
      width: shape[1],
      rows: rank,
      columns: index * rank * shape[1],
      rowOf: inOrder,
    };
  }
  const { slices } = layers[index]!;
  const rowOf = slices === undefined ? inOrder : (row: number) => {
    const { from, to } = slices.find(({ from, count }) => from <= row && row < from + count)!;
    return to + row - from;
  };
  return { place: nameOfB(weight, index), width: rank, rows: shape[0], columns: 0, rowOf };
}

/** 32 bits of a name (FNV-1a). */
function hash(name: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
