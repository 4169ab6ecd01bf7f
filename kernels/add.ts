/** Sums of two tensors, and of the gradients that several uses of a tensor send back. */
import addWgsl from "./add.wgsl" with { type: "text" };
import { elementsOf } from "./elements.ts";
import { differentiate, dispatch, type Gradients, type Graph, needsGradient, temporary } from "./graph.ts";
import { elementGroups } from "./rows.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/**
 * a + b, element by element. Both receive the gradient of the sum.
 *
 * Where one of them is a product, its `residual` adds the other without another pass over memory.
 *
 * @returns A new tensor of the same shape.
 * @throws If the shapes differ.
 */
export function add(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const y = recordSum(graph, a, b);
  differentiate(graph, {
    output: y,
    inputs: [a, b],
    rule: (gradient, gradients) => {
      for (const tensor of [a, b]) passGradient(graph, tensor, { gradient, gradients });
    },
  });
  return y;
}

/** Records a + b without its gradient. */
export function recordSum(graph: Graph, a: Tensor, b: Tensor): Tensor {
  if (a.shape.join() !== b.shape.join()) {
    throw new RangeError(`add: a is [${a.shape}] and b is [${b.shape}]; wanted the same shape`);
  }
  const { header, perRow } = elementsOf(sizeOf(a.shape));
  const y = temporary(a.shape, "sum");
  dispatch(graph, {
    kernel: { label: "add", code: header + addWgsl },
    bindings: [[a, "read"], [b, "read"], [y, "write"]],
    uniforms: [perRow],
    workgroups: elementGroups(perRow),
  });
  return y;
}

/**
 * Lets a gradient reach `tensor` if it needs one, adding it to what has come from later uses of the tensor.
 *
 * The sum is a tensor of its own: the summands may be on their way to other tensors too.
 */
export function passGradient(
  graph: Graph,
  tensor: Tensor,
  { gradient, gradients }: { gradient: Tensor; gradients: Gradients },
): void {
  if (!needsGradient(graph, tensor)) return;
  const existing = gradients.get(tensor);
  gradients.set(tensor, existing === undefined ? gradient : recordSum(graph, existing, gradient));
}
