/** Linear layers of many small networks at once, as one product of batches of matrices. */
import {
  differentiate,
  type Graph,
  matmul,
  needsGradient,
  reshape,
  temporary,
  type Tensor,
} from "@tr/align/kernels";

/**
 * y = x W, for each network with its own rows and weights; no sum goes from one network to another.
 *
 * @param x [networks · rows, inputs], network after network; read by nothing else that a gradient flows through.
 * @param weight [networks, inputs, outputs].
 * @returns [networks · rows, outputs].
 */
export function batchedLinear(graph: Graph, x: Tensor, weight: Tensor): Tensor {
  const [networks = 0, inputs = 0, outputs = 0] = weight.shape;
  const rows = x.shape[0]! / networks;
  const batches = (tensor: Tensor) => reshape(tensor, [networks, rows, tensor.shape[1]!]);
  const y = temporary([networks * rows, outputs], "batched linear");
  matmul(graph, batches(x), weight, { output: batches(y) });
  differentiate(graph, {
    output: y,
    inputs: [x, weight],
    rule: (dy, gradients) => {
      if (weight.gradient !== undefined) {
        matmul(graph, batches(x), batches(dy), { transposeA: true, into: weight.gradient });
      }
      if (!needsGradient(graph, x)) return;
      const dx = temporary([networks * rows, inputs], "batched linear gradient");
      matmul(graph, batches(dy), weight, { transposeB: true, output: batches(dx) });
      gradients.set(x, dx);
    },
  });
  return y;
}
