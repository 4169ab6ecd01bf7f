/** Low-rank adapters beside frozen weights (LoRA): what they consist of, and the weights that they amount to. */
import { block } from "./block.ts";
import copyRangeWgsl from "./copy_range.wgsl" with { type: "text" };
import { dispatch, type Graph, temporary } from "./graph.ts";
import { matmul } from "./matmul.ts";
import { elementGroups } from "./rows.ts";
import { sizeOf, type Tensor } from "./tensor.ts";
import unpackWgsl from "./unpack.wgsl" with { type: "text" };

/** The adapter of some rows of a weight: W[start …] + scale · B A. */
export interface AdapterPart {
  /** The first of the weight's rows that it changes. */
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
  /** In the order of the weight's rows, without overlap. */
  readonly parts: readonly AdapterPart[];
}

/** Rows that a part covers: first, and one after the last. */
export function partRows({ start, b }: AdapterPart): readonly [number, number] {
  return [start, start + b.shape[0]!];
}

/** Rows of A, and columns of x Aᵀ, that belong to part `index`. */
export function rankRows({ rank }: Adapter, index: number): readonly [number, number] {
  return [index * rank, (index + 1) * rank];
}

/** The weight in float32: itself, or widened to a temporary. */
export function widened(graph: Graph, weight: Tensor): Tensor {
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
 * @param options.output Where to write it instead.
 */
export function mergedWeight(
  graph: Graph,
  weight: Tensor,
  { adapter, output }: { adapter: Adapter | null; output?: Tensor },
): Tensor {
  const merged = output ?? temporary(weight.shape, "merged weight");
  const wide = widened(graph, weight);
  const whole = (rows: readonly [number, number]) => ({ rows });
  let next = 0;
  adapter?.parts.forEach((part, index) => {
    const rows = partRows(part);
    copyRows(graph, wide, { to: merged, rows: [next, rows[0]] });
    matmul(graph, part.b, block(adapter.a, whole(rankRows(adapter, index))), {
      scale: part.scale,
      residual: block(wide, whole(rows)),
      output: block(merged, whole(rows)),
    });
    next = rows[1];
  });
  copyRows(graph, wide, { to: merged, rows: [next, weight.shape[0]!] });
  return merged;
}

/** Copies rows from one matrix to the same place in another; their width is a multiple of 4. */
function copyRows(
  graph: Graph,
  from: Tensor,
  { to, rows: [start, end] }: { to: Tensor; rows: readonly [number, number] },
): void {
  if (start === end) return;
  const perRow = from.shape[1]! / 4;
  const vectors = (end - start) * perRow;
  dispatch(graph, {
    kernel: { label: "copy rows", code: copyRangeWgsl },
    bindings: [[from, "read"], [to, "write"]],
    uniforms: [start * perRow, vectors],
    workgroups: elementGroups(vectors),
  });
}
