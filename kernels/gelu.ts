/** GELU: the activation of GPT-2's and GPT-NeoX's feed-forward blocks. */
import { passGradient } from "./add.ts";
import erfWgsl from "./erf.wgsl" with { type: "text" };
import geluWgsl from "./gelu.wgsl" with { type: "text" };
import gradientWgsl from "./gelu_gradient.wgsl" with { type: "text" };
import { differentiate, dispatch, type Graph, temporary } from "./graph.ts";
import { elementGroups } from "./rows.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/** Options of {@linkcode gelu}. */
export interface GeluOptions {
  /**
   * As PyTorch names it. `none`: Φ is the normal distribution function (`gelu` in Hugging Face configurations);
   * `tanh`: (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 in its place (`gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`).
   */
  approximation: "none" | "tanh";
}

/**
 * x · Φ(x) (Hendrycks and Gimpel, arXiv 1606.08415).
 *
 * @param x [rows, channels]; channels must be a multiple of 4.
 * @returns [rows, channels].
 * @throws If the channels are not a multiple of 4.
 */
export function gelu(graph: Graph, x: Tensor, { approximation }: GeluOptions): Tensor {
  if ((x.shape.at(-1) ?? 0) % 4 !== 0) {
    throw new RangeError(`gelu: x is [${x.shape}]; its width must be a multiple of 4`);
  }
  const vectors = sizeOf(x.shape) / 4;
  const constants = { TANH: approximation === "tanh" ? 1 : 0 };
  const y = temporary(x.shape, "gelu");
  dispatch(graph, {
    kernel: { label: "gelu", code: erfWgsl + geluWgsl, constants },
    bindings: [[x, "read"], [y, "write"]],
    uniforms: [vectors],
    workgroups: elementGroups(vectors),
  });
  differentiate(graph, {
    output: y,
    inputs: [x],
    rule: (dy, gradients) => {
      const dx = temporary(x.shape, "gelu gradient");
      dispatch(graph, {
        kernel: { label: "gelu gradient", code: erfWgsl + gradientWgsl, constants },
        bindings: [[x, "read"], [dy, "read"], [dx, "write"]],
        uniforms: [vectors],
        workgroups: elementGroups(vectors),
      });
      passGradient(graph, x, { gradient: dx, gradients });
    },
  });
  return y;
}
