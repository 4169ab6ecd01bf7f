/** What the kernel tests share: one device, seeded numbers, running a graph once, comparing with float64. */
import { assert } from "@std/assert";
import { ensureAdapter } from "../../cli/adapter.ts";
import { createStorage, type Device, requestDevice } from "../../kernels/device.ts";
import { differentiate, type Graph, input, output } from "../../kernels/graph.ts";
import { compile } from "../../kernels/program.ts";
import { externalTensor, sizeOf, type Tensor } from "../../kernels/tensor.ts";
import { encodeFromFloat32 } from "../../models/files/floats.ts";

let device: Promise<Device> | undefined;

/** The device that all kernel tests of a file use. */
export function testDevice(): Promise<Device> {
  return device ??= ensureAdapter().then(requestDevice);
}

/**
 * The device with the choices that kernels make for a software adapter and for a GPU, so that tests cover both wherever
 * they run.
 */
export async function testDevices(): Promise<Record<"software" | "GPU", Device>> {
  const device = await testDevice();
  return { software: { ...device, software: true }, GPU: { ...device, software: false } };
}

/** Numbers in (−scale, scale), the same for the same seed. */
export function randomValues(
  count: number,
  options: { seed: number; scale?: number },
): Float32Array<ArrayBuffer> {
  const { seed, scale = 1 } = options;
  let state = (seed * 2654435761 + 1) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 8) / 2 ** 23 - 1) * scale;
  });
}

/** A tensor in a buffer of its own, filled with `values`. */
export function filled(
  device: Device,
  values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
  options: { shape: readonly number[]; gradient?: Tensor; label?: string },
): Tensor {
  const { shape, gradient, label = "test" } = options;
  assert(values.length === sizeOf(shape), `${values.length} values for [${shape}]`);
  const buffer = createStorage(device, { size: values.byteLength, label });
  device.gpu.queue.writeBuffer(buffer, 0, values);
  const dtype = values instanceof Float32Array ? "f32" : "i32";
  return externalTensor(buffer, { shape, dtype, label, ...(gradient ? { gradient } : {}) });
}

/** A tensor in bfloat16, filled with `values`. */
export function packed(device: Device, values: Float32Array, shape: number[]): Tensor {
  const buffer = createStorage(device, { size: values.length * 2, label: "bfloat16" });
  device.gpu.queue.writeBuffer(buffer, 0, encodeFromFloat32(new Float32Array(values), "BF16"));
  return externalTensor(buffer, { shape, dtype: "bf16" });
}

/** A zeroed tensor in a buffer of its own. */
export function zeros(device: Device, shape: readonly number[]): Tensor {
  return filled(device, new Float32Array(sizeOf(shape)), { shape });
}

/** A trainable tensor: values, and a zeroed gradient. */
export function trainable(
  device: Device,
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
): Tensor {
  return filled(device, values, { shape, gradient: zeros(device, shape) });
}

/** Declares an input of the graph and remembers what to write to it. */
export function filledInput(
  graph: Graph,
  name: string,
  options: { values: ArrayLike<number>; shape: readonly number[]; dtype?: "f32" | "i32" },
): Tensor {
  const { values, shape, dtype = "i32" } = options;
  const tensor = input(graph, name, { shape, dtype });
  pendingInputs.set(tensor, values);
  return tensor;
}

const pendingInputs = new Map<Tensor, ArrayLike<number>>();

/** Makes the gradient that reaches `x` an output of the graph, under `name`; call before the operations that use `x`. */
export function watchGradient(graph: Graph, x: Tensor, name: string): void {
  differentiate(graph, {
    output: x,
    inputs: [{ ...x, gradient: x }], // stands for a parameter that x was computed from
    rule: (gradient) => output(graph, name, gradient),
  });
}

/** Compiles and runs a graph once; returns its outputs. */
export async function runOnce(graph: Graph): Promise<Record<string, Float32Array>> {
  const [program] = await compile(graph.device, { graphs: [graph] });
  for (const [name, tensor] of graph.inputs) {
    const values = pendingInputs.get(tensor);
    if (values !== undefined) program!.inputs[name]!.set(values);
  }
  return await program!.run().read();
}

/** Fails unless |actual − expected| ≤ tolerance × the largest |expected| (at least 1e-6), everywhere. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  options: { tolerance: number; what: string },
): void {
  const { tolerance, what } = options;
  assert(actual.length === expected.length, `${what}: ${actual.length} values, wanted ${expected.length}`);
  let scale = 1e-6;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    assert(
      error <= tolerance * scale,
      `${what}[${i}] is ${actual[i]}, wanted ${expected[i]}: off by ${error}, ${
        error / scale
      } of the largest ${scale}`,
    );
  }
}
