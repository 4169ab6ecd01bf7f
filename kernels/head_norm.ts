/** RMSNorm of every query and key head, and its gradients. */
import { passGradient } from "./add.ts";
import { columnSums, ROW_BLOCK } from "./column_sums.ts";
import { differentiate, dispatch, type Graph, needsGradient, temporary } from "./graph.ts";
import forwardWgsl from "./head_norm.wgsl" with { type: "text" };
import gradientWgsl from "./head_norm_gradient.wgsl" with { type: "text" };
import weightGradientWgsl from "./head_norm_weight_gradient.wgsl" with { type: "text" };
import { elementGroups, lanesPerRow } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode headNorm}. */
export interface HeadNormOptions {
  /** [headSize], shared by all query heads. */
  queryWeight: Tensor;
  /** [headSize], shared by all key heads. */
  keyWeight: Tensor;
  /** Query heads. */
  heads: number;
  /** Key heads, and as many value heads. */
  keyValueHeads: number;
  /** Elements of a head, a multiple of 4. */
  headSize: number;
  /** ε, `rms_norm_eps` in Hugging Face configurations. */
  epsilon: number;
}

/**
 * RMSNorm over each query head and each key head, before they are rotated (Qwen3's `q_norm` and `k_norm`); value heads
 * pass unchanged. Its gradient overwrites that of the result, which must not be a residual or summand.
 *
 * @param qkv [rows, (heads + 2 keyValueHeads) · headSize]: queries, keys, values.
 * @returns A new tensor of the same shape.
 * @throws If the sizes don't match.
 */
export function headNorm(graph: Graph, qkv: Tensor, options: HeadNormOptions): Tensor {
  const { queryWeight, keyWeight, heads, keyValueHeads, headSize, epsilon } = options;
  checkShapes(qkv, options);
  const [rows = 0] = qkv.shape;
  const normed = heads + keyValueHeads;
  const sizes = { HEADS: heads, KEY_HEADS: keyValueHeads, VECTORS: headSize / 4 };
  const lanes = lanesPerRow(graph.device, headSize);
  const y = temporary(qkv.shape, "head norm");
  const factors = temporary([rows, normed], "head norm factors");
  dispatch(graph, {
    kernel: {
      label: "head norm",
      code: forwardWgsl,
      constants: { ...sizes, LANES: lanes, EPSILON: epsilon },
    },
    bindings: [
      [qkv, "read"],
      [queryWeight, "read"],
      [keyWeight, "read"],
      [y, "write"],
      [factors, "write"],
    ],
    uniforms: [rows],
    workgroups: elementGroups(rows * (normed + keyValueHeads) * lanes),
  });
  differentiate(graph, {
    output: y,
    inputs: [qkv, queryWeight, keyWeight],
    rule: (gradient, gradients) => {
      weightGradients(graph, qkv, { ...options, factors, gradient });
      if (!needsGradient(graph, qkv)) return;
      dispatch(graph, {
        kernel: { label: "head norm gradient", code: gradientWgsl, constants: { ...sizes, LANES: lanes } },
        bindings: [
          [qkv, "read"],
          [queryWeight, "read"],
          [keyWeight, "read"],
          [factors, "read"],
          [gradient, "update"],
        ],
        uniforms: [rows],
        workgroups: elementGroups(rows * normed * lanes),
      });
      passGradient(graph, qkv, { gradient, gradients });
    },
  });
  return y;
}

function checkShapes(qkv: Tensor, options: HeadNormOptions): void {
  const { queryWeight, keyWeight, heads, keyValueHeads, headSize } = options;
  const width = (heads + 2 * keyValueHeads) * headSize;
  const fits = headSize % 4 === 0 && qkv.shape.length === 2 && qkv.shape[1] === width &&
    [queryWeight, keyWeight].every(({ shape }) => shape.join() === `${headSize}`);
  if (fits) return;
  throw new RangeError(
    `headNorm: qkv is [${qkv.shape}], queryWeight [${queryWeight.shape}] and keyWeight [${keyWeight.shape}]; ` +
      `${heads} + 2 × ${keyValueHeads} heads of ${headSize} need [rows, ${width}], [${headSize}] and ` +
      `[${headSize}], and a head size that 4 divides`,
  );
}

function weightGradients(
  graph: Graph,
  qkv: Tensor,
  options: HeadNormOptions & { factors: Tensor; gradient: Tensor },
): void {
  const { queryWeight, keyWeight, heads, keyValueHeads, headSize, factors, gradient } = options;
  if (queryWeight.gradient === undefined && keyWeight.gradient === undefined) return;
  const [rows = 0] = qkv.shape;
  const blocks = Math.ceil(rows / ROW_BLOCK);
  const queries = temporary([blocks * heads, headSize], "query norm weight partials");
  const keys = temporary([blocks * keyValueHeads, headSize], "key norm weight partials");
  const vectors = headSize / 4;
  dispatch(graph, {
    kernel: {
      label: "head norm weight gradient",
      code: weightGradientWgsl,
      constants: { HEADS: heads, KEY_HEADS: keyValueHeads, VECTORS: vectors, BLOCK: ROW_BLOCK },
    },
    bindings: [[qkv, "read"], [factors, "read"], [gradient, "read"], [queries, "write"], [keys, "write"]],
    uniforms: [rows],
    workgroups: [Math.ceil((heads + keyValueHeads) * vectors / 64), blocks],
  });
  if (queryWeight.gradient !== undefined) columnSums(graph, queries, queryWeight.gradient);
  if (keyWeight.gradient !== undefined) columnSums(graph, keys, keyWeight.gradient);
}
