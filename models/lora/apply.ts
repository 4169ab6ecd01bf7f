/** An adapter applied to a model's weights for good, to score or generate with. */
import { type Adapter, partRows, rankRows } from "../../kernels/adapter.ts";
import { block } from "../../kernels/block.ts";
import type { Device } from "../../kernels/device.ts";
import { createGraph } from "../../kernels/graph.ts";
import { matmul } from "../../kernels/matmul.ts";
import type { ParameterSet } from "../../kernels/parameters.ts";
import { compile } from "../../kernels/program.ts";

/**
 * Adds adapters to the weights that they belong to, on the device: W ← W + scale · B A.
 *
 * @param weights In float32.
 * @param adapters By the name of the weight.
 */
export async function applyAdapters(
  device: Device,
  weights: ParameterSet,
  adapters: ReadonlyMap<string, Adapter>,
): Promise<void> {
  const graph = createGraph(device);
  for (const [name, adapter] of adapters) {
    adapter.parts.forEach((part, index) => {
      matmul(graph, part.b, block(adapter.a, { rows: rankRows(adapter, index) }), {
        scale: part.scale,
        into: block(weights.tensors.get(name)!, { rows: partRows(part) }),
      });
    });
  }
  const [program] = await compile(device, { graphs: [graph] });
  await program!.run().read();
}
