/** Taking a snapshot of an adapter into a stack of them, whose sum is an adapter again. */
import type { Adapter } from "./adapter.ts";
import { dispatch, type Graph } from "./graph.ts";
import { elementGroups } from "./rows.ts";
import snapshotAWgsl from "./snapshot_a.wgsl" with { type: "text" };
import snapshotBWgsl from "./snapshot_b.wgsl" with { type: "text" };
import { sizeOf, type Tensor } from "./tensor.ts";

/**
 * Records stack ← Σⱼ factorⱼ snapshotⱼ + α adapter, the adapter's product taking the place `slot`.
 *
 * A sum of products is a product of stacked matrices, [c₁B₁ c₂B₂ …] [A₁; A₂; …]: no product is ever computed.
 *
 * @param stack `count` adapters of the same layout beside each other: A [parts · count · rank, inputs], each B
 * [outputs, count · rank] scaled already.
 * @param options.move [4]: α, the slot, unused, unused.
 * @param options.factors [count]: what each other place is multiplied by.
 */
export function takeSnapshot(
  graph: Graph,
  stack: Adapter,
  options: { adapter: Adapter; count: number; move: Tensor; factors: Tensor },
): void {
  const { adapter, count, move, factors } = options;
  const vectorsA = sizeOf(adapter.a.shape) / 4;
  dispatch(graph, {
    kernel: {
      label: "snapshot A",
      code: snapshotAWgsl,
      constants: { BLOCK: adapter.rank * adapter.a.shape[1]! / 4, COUNT: count },
    },
    bindings: [[adapter.a, "read"], [stack.a, "update"], [move, "read"]],
    uniforms: [vectorsA],
    workgroups: elementGroups(vectorsA),
  });
  adapter.parts.forEach(({ b, scale }, index) => {
    const into = stack.parts[index]!.b;
    const vectors = sizeOf(into.shape) / 4;
    dispatch(graph, {
      kernel: {
        label: "snapshot B",
        code: snapshotBWgsl,
        constants: { WIDTH: adapter.rank / 4, COUNT: count, SCALE: scale },
      },
      bindings: [[b, "read"], [into, "update"], [move, "read"], [factors, "read"]],
      uniforms: [vectors],
      workgroups: elementGroups(vectors),
    });
  });
}
