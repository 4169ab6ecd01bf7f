/** LayerNorm and its gradients. */
import { columnSums, ROW_BLOCK } from "./column_sums.ts";
import { differentiate, dispatch, type Graph, needsGradient, temporary } from "./graph.ts";
import forwardWgsl from "./layer_norm.wgsl" with { type: "text" };
import gradientWgsl from "./layer_norm_gradient.wgsl" with { type: "text" };
import weightGradientWgsl from "./layer_norm_weight_gradient.wgsl" with { type: "text" };
import { lanesPerRow, ROW_THREADS, rowGroups } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/**
 * y = (x − mean(x)) / √(variance(x) + ε) · weight + bias over the last dimension (Ba et al., arXiv 1607.06450).
 *
 * The variance, that of all channels and not an estimate from them, comes from distances to the mean.
 *
 * @param x [rows, channels]; channels must be a multiple of 4.
 * @param options.weight [channels].
 * @param options.bias [channels].
 * @param options.epsilon ε, `layer_norm_epsilon` or `layer_norm_eps` in Hugging Face configurations.
 * @returns [rows, channels].
 * @throws If the sizes don't match.
 */
export function layerNorm(
  graph: Graph,
  x: Tensor,
  { weight, bias, epsilon }: { weight: Tensor; bias: Tensor; epsilon: number },
): Tensor {
  const [rows = 0, channels = 0] = x.shape;
  if (channels % 4 !== 0 || weight.shape.join() !== `${channels}` || bias.shape.join() !== `${channels}`) {
    throw new RangeError(
      `layerNorm: x is [${x.shape}], weight is [${weight.shape}] and bias is [${bias.shape}]; ` +
        "wanted [rows, 4c], [4c] and [4c]",
    );
  }
  const vectors = channels / 4;
  const lanes = lanesPerRow(graph.device, channels);
  const y = temporary(x.shape, "layer norm");
  const statistics = temporary([rows, 2], "layer norm statistics");
  dispatch(graph, {
    kernel: {
      label: "layer norm",
      code: forwardWgsl,
      constants: { VECTORS: vectors, LANES: lanes, EPSILON: epsilon },
    },
    bindings: [[x, "read"], [weight, "read"], [bias, "read"], [y, "write"], [statistics, "write"]],
    uniforms: [rows],
    workgroups: rowGroups(rows, ROW_THREADS / lanes),
  });
  differentiate(graph, {
    output: y,
    inputs: [x, weight, bias],
    rule: (dy, gradients) => {
      if (weight.gradient !== undefined || bias.gradient !== undefined) {
        const blocks = Math.ceil(rows / ROW_BLOCK);
        const weights = temporary([blocks, channels], "layer norm weight partials");
        const biases = temporary([blocks, channels], "layer norm bias partials");
        dispatch(graph, {
          kernel: {
            label: "layer norm weight gradient",
            code: weightGradientWgsl,
            constants: { VECTORS: vectors, BLOCK: ROW_BLOCK },
          },
          bindings: [
            [x, "read"],
            [statistics, "read"],
            [dy, "read"],
            [weights, "write"],
            [biases, "write"],
          ],
          uniforms: [rows],
          workgroups: [Math.ceil(vectors / 64), blocks],
        });
        if (weight.gradient !== undefined) columnSums(graph, weights, weight.gradient);
        if (bias.gradient !== undefined) columnSums(graph, biases, bias.gradient);
      }
      if (!needsGradient(graph, x)) return;
      const existing = gradients.get(x);
      const dx = temporary(x.shape, "layer norm gradient");
      const constants = { VECTORS: vectors, LANES: lanes, ADD: existing === undefined ? 0 : 1 };
      dispatch(graph, {
        kernel: { label: "layer norm gradient", code: gradientWgsl, constants },
        bindings: [
          [x, "read"],
          [weight, "read"],
          [statistics, "read"],
          [dy, "read"],
          [existing ?? dy, "read"],
          [dx, "write"],
        ],
        uniforms: [rows],
        workgroups: rowGroups(rows, ROW_THREADS / lanes),
      });
      gradients.set(x, dx);
    },
  });
  return y;
}
