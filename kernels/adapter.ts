/** Low-rank adapters beside frozen weights (LoRA): what they consist of, and the weights that they amount to. */
import { type Block, block } from "./block.ts";
import copyBlockWgsl from "./copy_block.wgsl" with { type: "text" };
import { dispatch, type Graph, temporary } from "./graph.ts";
import { matmul } from "./matmul.ts";
import { elementGroups } from "./rows.ts";
import { sizeOf, type Tensor } from "./tensor.ts";
import unpackWgsl from "./unpack.wgsl" with { type: "text" };

/** The adapter of some outputs of a weight: W[start …] + scale · B A. */
export interface AdapterPart {
  /** The first of the weight's rows that it changes; of its columns, where the weight is stored transposed. */
  readonly start: number;
  /** B: [rows, rank]. */
  readonly b: Tensor;
  /** Factor on the product. */
  readonly scale: number;
}

/**
 * The adapters of one weight, which may be several projections below each other: y = (W + Σ scaleₚ Bₚ Aₚ) x, part p over
 * its own rows. Hu et al., "LoRA", arXiv 2106.09685, equation 3.
 */
export interface Adapter {
  /** All Aₚ, one below the other: [parts · rank, inputs]. */
  readonly a: Tensor;
  /** Rows of each Aₚ, a multiple of 4; what a smaller rank leaves over is zero in A and B, and stays zero in training. */
  readonly rank: number;
  /** In the order of the weight's outputs, without overlap. */
  readonly parts: readonly AdapterPart[];
}

/** Outputs that a part covers, rows of the weight: first, and one after the last. */
export function partRows({ start, b }: AdapterPart): readonly [number, number] {
  return [start, start + b.shape[0]!];
}

/** Rows of A, and columns of x Aᵀ, that belong to part `index`. */
export function rankRows({ rank }: Adapter, index: number): readonly [number, number] {
  return [index * rank, (index + 1) * rank];
}

/** The weight in float32: itself, or widened to a temporary. */
function widened(graph: Graph, weight: Tensor): Tensor {
  if (weight.dtype !== "bf16") return weight;
  const wide = temporary(weight.shape, "widened weight");
  const vectors = sizeOf(weight.shape) / 4;
  dispatch(graph, {
    kernel: { label: "unpack bfloat16", code: unpackWgsl },
    bindings: [[weight, "read"], [wide, "write"]],
    uniforms: [vectors],
    workgroups: elementGroups(vectors),
  });
  return wide;
}

/**
 * The weight with its adapters added, as a temporary: W + Σ scaleₚ Bₚ Aₚ. No gradient flows through it.
 *
 * @param weight [outputs, inputs].
 * @param options.adapter Null to add nothing: a copy in float32.
 * @param options.transposed The weight is stored [inputs, outputs], and so is the result: W + Σ scaleₚ (Bₚ Aₚ)ᵀ.
 * @param options.output Where to write it instead.
 */
export function mergedWeight(
  graph: Graph,
  weight: Tensor,
  { adapter, transposed = false, output }: {
    adapter: Adapter | null;
    transposed?: boolean | undefined;
    output?: Tensor;
  },
): Tensor {
  const merged = output ?? temporary(weight.shape, "merged weight");
  const wide = widened(graph, weight);
  const ofOutputs = (range: readonly [number, number]) => transposed ? { columns: range } : { rows: range };
  const copy = (start: number, end: number) => {
    if (start < end) copyBlock(graph, block(wide, ofOutputs([start, end])), merged);
  };
  let next = 0;
  adapter?.parts.forEach((part, index) => {
    const outputs = partRows(part);
    copy(next, outputs[0]);
    const a = block(adapter.a, { rows: rankRows(adapter, index) });
    matmul(graph, transposed ? a : part.b, transposed ? part.b : a, {
      transposeA: transposed,
      transposeB: transposed,
      scale: part.scale,
      residual: block(wide, ofOutputs(outputs)),
      output: block(merged, ofOutputs(outputs)),
    });
    next = outputs[1];
  });
  copy(next, weight.shape[transposed ? 1 : 0]!);
  return merged;
}

/** Copies a part of one matrix to the same place in another. */
function copyBlock(graph: Graph, { matrix, rows, columns }: Block, to: Tensor): void {
  const stride = matrix.shape[1]!;
  const size = [...columns, stride].every((at) => at % 4 === 0) ? 4 : 1;
  const perRow = (columns[1] - columns[0]) / size;
  const count = (rows[1] - rows[0]) * perRow;
  dispatch(graph, {
    kernel: {
      label: "copy block",
      code: `alias Element = ${size === 4 ? "vec4f" : "f32"};\n${copyBlockWgsl}`,
    },
    bindings: [[matrix, "read"], [to, "write"]],
    uniforms: [(rows[0] * stride + columns[0]) / size, perRow, stride / size, count],
    workgroups: elementGroups(count),
  });
}
