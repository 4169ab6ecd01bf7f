/** RMSNorm and its gradients. */
import { columnSums, ROW_BLOCK } from "./column_sums.ts";
import { differentiate, dispatch, type Graph, needsGradient, temporary } from "./graph.ts";
import forwardWgsl from "./rms_norm.wgsl" with { type: "text" };
import gradientWgsl from "./rms_norm_gradient.wgsl" with { type: "text" };
import weightGradientWgsl from "./rms_norm_weight_gradient.wgsl" with { type: "text" };
import { lanesPerRow, ROW_THREADS, rowGroups } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/**
 * y = x / √(mean(x²) + ε) · weight over the last dimension.
 *
 * @param x [rows, channels]; channels must be a multiple of 4.
 * @param options.weight [channels].
 * @param options.epsilon ε, `rms_norm_eps` in Hugging Face configurations.
 * @returns [rows, channels].
 * @throws If the sizes don't match.
 */
export function rmsNorm(
  graph: Graph,
  x: Tensor,
  { weight, epsilon }: { weight: Tensor; epsilon: number },
): Tensor {
  const [rows = 0, channels = 0] = x.shape;
  if (channels % 4 !== 0 || weight.shape.join() !== `${channels}`) {
    throw new RangeError(
      `rmsNorm: x is [${x.shape}] and weight is [${weight.shape}]; wanted [rows, 4c] and [4c]`,
    );
  }
  const vectors = channels / 4;
  const lanes = lanesPerRow(graph.device, channels);
  const y = temporary(x.shape, "rms norm");
  const factors = temporary([rows], "rms norm factors");
  dispatch(graph, {
    kernel: {
      label: "rms norm",
      code: forwardWgsl,
      constants: { VECTORS: vectors, LANES: lanes, EPSILON: epsilon },
    },
    bindings: [[x, "read"], [weight, "read"], [y, "write"], [factors, "write"]],
    uniforms: [rows],
    workgroups: rowGroups(rows, ROW_THREADS / lanes),
  });
  differentiate(graph, {
    output: y,
    inputs: [x, weight],
    rule: (dy, gradients) => {
      if (weight.gradient !== undefined) {
        const blocks = Math.ceil(rows / ROW_BLOCK);
        const partials = temporary([blocks, channels], "rms norm weight partials");
        dispatch(graph, {
          kernel: {
            label: "rms norm weight gradient",
            code: weightGradientWgsl,
            constants: { VECTORS: vectors, BLOCK: ROW_BLOCK },
          },
          bindings: [[x, "read"], [factors, "read"], [dy, "read"], [partials, "write"]],
          uniforms: [rows],
          workgroups: [Math.ceil(vectors / 64), blocks],
        });
        columnSums(graph, partials, weight.gradient);
      }
      if (!needsGradient(graph, x)) return;
      const existing = gradients.get(x);
      const dx = temporary(x.shape, "rms norm gradient");
      const constants = { VECTORS: vectors, LANES: lanes, ADD: existing === undefined ? 0 : 1 };
      dispatch(graph, {
        kernel: { label: "rms norm gradient", code: gradientWgsl, constants },
        bindings: [
          [x, "read"],
          [weight, "read"],
          [factors, "read"],
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
