/** Adapters merged into the weights that they belong to. */
import { type Adapter, mergedWeight } from "../../kernels/adapter.ts";
import { createStorage, type Device, withMemoryCheck } from "../../kernels/device.ts";
import { createGraph } from "../../kernels/graph.ts";
import type { ParameterSet } from "../../kernels/parameters.ts";
import { compile, type Program } from "../../kernels/program.ts";
import { bytesOf, externalTensor } from "../../kernels/tensor.ts";
import type { ModelParameter } from "../parameters.ts";
import { type DeviceTensor, type StoredParameter, tensorsOfBuffer, weightTensors } from "../weights.ts";

/**
 * The file tensors of a model with its adapters merged, to be written: W + scale · B A, in float32.
 *
 * The weights themselves stay as they are; one of them at a time is merged into a buffer of its own when it is first read,
 * so read them in order.
 *
 * @param base The weights, in float32 or bfloat16.
 * @param options.adapters By the name of the weight.
 */
export async function mergedTensors(
  device: Device,
  base: ParameterSet,
  options: {
    parameters: readonly (StoredParameter & Pick<ModelParameter, "transposed">)[];
    adapters: ReadonlyMap<string, Adapter>;
  },
): Promise<DeviceTensor[]> {
  const { parameters, adapters } = options;
  const shapeOf = (name: string) => base.layout.entries.get(name)!.shape;
  const size = Math.max(
    0,
    ...[...adapters.keys()].map((name) => bytesOf({ shape: shapeOf(name), dtype: "f32" })),
  );
  const [buffer] = await withMemoryCheck(device, {
    bytes: size,
    what: "a merged weight",
    allocate: () => [createStorage(device, { size, label: "merged weight" })],
  });
  let merged: string | undefined;
  const programs = new Map<string, Program>();
  const merge = async (name: string) => {
    if (merged === name) return;
    let program = programs.get(name);
    if (program === undefined) {
      const graph = createGraph(device);
      const output = externalTensor(buffer!, { shape: shapeOf(name) });
      const transposed = parameters.find((parameter) => parameter.name === name)!.transposed;
      mergedWeight(graph, base.tensors.get(name)!, { adapter: adapters.get(name)!, transposed, output });
      [program] = await compile(device, { graphs: [graph] }) as [Program];
      programs.set(name, program);
    }
    program.run();
    merged = name;
  };
  const plain = new Map(weightTensors(device, base, { parameters }).map((tensor) => [tensor.name, tensor]));
  return parameters.flatMap(({ name, parts }) => {
    if (!adapters.has(name)) return parts.map((part) => plain.get(part.name)!);
    // Windows are kept on the host, so each weight needs its own, fetched after the merge.
    let fetched: Promise<DeviceTensor[]> | undefined;
    const fetch = () => fetched ??= merge(name).then(() => tensorsOfBuffer(device, buffer!, parts));
    return parts.map((part, index) => ({
      ...part,
      read: async (offset: number, count: number) => {
        const tensors = await fetch();
        await merge(name);
        return await tensors[index]!.read(offset, count);
      },
    }));
  });
}
