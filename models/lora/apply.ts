/** An adapter applied to a model's weights for good, to score or generate with. */
import { type Adapter, partRows, rankRows } from "../../kernels/adapter.ts";
import { block } from "../../kernels/block.ts";
import type { Device } from "../../kernels/device.ts";
import { createGraph } from "../../kernels/graph.ts";
import { matmul } from "../../kernels/matmul.ts";
import type { ParameterSet } from "../../kernels/parameters.ts";
import { compile } from "../../kernels/program.ts";
import type { ModelParameter } from "../parameters.ts";

/**
 * Adds adapters to the weights that they belong to, on the device: W ← W + scale · B A.
 *
 * @param weights In float32.
 * @param options.adapters By the name of the weight.
 * @param options.parameters The model's.
 * @throws If a weight with an adapter is in several pieces.
 */
export async function applyAdapters(
  device: Device,
  weights: ParameterSet,
  { adapters, parameters }: {
    adapters: ReadonlyMap<string, Adapter>;
    parameters: readonly Pick<ModelParameter, "name" | "transposed">[];
  },
): Promise<void> {
  const graph = createGraph(device);
  for (const [name, adapter] of adapters) {
    const weight = weights.tensors.get(name);
    if (weight === undefined) {
      throw new Error(
        `LoRA: the weight ${name} is too large for one binding of this device; train without its adapter`,
      );
    }
    const transposed = parameters.find((parameter) => parameter.name === name)!.transposed ?? false;
    adapter.parts.forEach((part, index) => {
      const a = block(adapter.a, { rows: rankRows(adapter, index) });
      matmul(graph, transposed ? a : part.b, transposed ? part.b : a, {
        transposeA: transposed,
        transposeB: transposed,
        scale: part.scale,
        into: block(weight, transposed ? { columns: partRows(part) } : { rows: partRows(part) }),
      });
    });
  }
  const [program] = await compile(device, { graphs: [graph] });
  await program!.run().read();
}
