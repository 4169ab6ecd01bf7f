/** SwiGLU: the gated activation of Llama's feed-forward block. */
import { passGradient } from "./add.ts";
import { differentiate, dispatch, type Graph, temporary } from "./graph.ts";
import { elementGroups } from "./rows.ts";
import swigluWgsl from "./swiglu.wgsl" with { type: "text" };
import gradientWgsl from "./swiglu_gradient.wgsl" with { type: "text" };
import type { Tensor } from "./tensor.ts";

/**
 * silu(gate) · up (Shazeer, arXiv 2002.05202).
 *
 * @param x [rows, 2 × channels]: gate, then up. Channels must be a multiple of 4.
 * @returns [rows, channels].
 * @throws If the width is not a multiple of 8.
 */
export function swiglu(graph: Graph, x: Tensor): Tensor {
  const [rows = 0, width = 0] = x.shape;
  if (width % 8 !== 0) throw new RangeError(`swiglu: x is [${x.shape}]; its width must be a multiple of 8`);
  const channels = width / 2;
  const constants = { VECTORS: channels / 4 };
  const y = temporary([rows, channels], "swiglu");
  dispatch(graph, {
    kernel: { label: "swiglu", code: swigluWgsl, constants },
    bindings: [[x, "read"], [y, "write"]],
    uniforms: [rows],
    workgroups: elementGroups(rows * channels / 4),
  });
  differentiate(graph, {
    output: y,
    inputs: [x],
    rule: (dy, gradients) => {
      const dx = temporary(x.shape, "swiglu gradient");
      dispatch(graph, {
        kernel: { label: "swiglu gradient", code: gradientWgsl, constants },
        bindings: [[x, "read"], [dy, "read"], [dx, "write"]],
        uniforms: [rows],
        workgroups: elementGroups(rows * channels / 4),
      });
      passGradient(graph, x, { gradient: dx, gradients });
    },
  });
  return y;
}
