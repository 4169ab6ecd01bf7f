/** Weights too large for one binding: lists of tensors whose rows continue each other, and products with them. */
import { block } from "./block.ts";
import { type Graph, temporary } from "./graph.ts";
import { addProducts, matmul, type PlusOptions } from "./matmul.ts";
import { reshape, type Tensor } from "./tensor.ts";

/** A matrix: one tensor, or several below each other. */
export type Matrix = Tensor | readonly Tensor[];

/** One of the tensors that a matrix consists of. */
export interface MatrixPart {
  /** [rows, columns]. */
  readonly tensor: Tensor;
  /** The rows of the matrix that it holds: first, and one after the last. */
  readonly rows: readonly [start: number, end: number];
}

/**
 * The tensors of a matrix and where they lie in it.
 *
 * @throws If there is none or their widths differ.
 */
export function partsOf(matrix: Matrix): readonly MatrixPart[] {
  const tensors = "shape" in matrix ? [matrix] : matrix;
  const width = tensors[0]?.shape[1];
  if (tensors.length === 0 || tensors.some(({ shape }) => shape.length !== 2 || shape[1] !== width)) {
    const shapes = tensors.map(({ shape }) => `[${shape}]`).join(", ");
    throw new RangeError(
      `A weight in parts is ${shapes || "empty"}; wanted [rows, columns] with equal columns`,
    );
  }
  let end = 0;
  return tensors.map((tensor) => ({ tensor, rows: [end, end += tensor.shape[0]!] as const }));
}

/** Rows and columns of a matrix. */
export function sizesOf(matrix: Matrix): readonly [rows: number, columns: number] {
  const last = partsOf(matrix).at(-1)!;
  return [last.rows[1], last.tensor.shape[1]!];
}

/**
 * Records x W (+ bias) (+ residual) (+ other products), or x Wᵀ. Parts of W below each other give columns of
 * x Wᵀ each; to x W each adds its share.
 *
 * @param x [rows, …].
 * @param options.transpose Multiply by Wᵀ.
 * @param options.bias One number for each column of the result.
 * @param options.residual Of the result's shape.
 * @param options.output Where to write the result instead.
 * @param options.plus Products that are added to columns of the result.
 */
export function weightProduct(
  graph: Graph,
  x: Tensor,
  { weight, transpose, bias, residual, output, plus = [] }: {
    weight: Matrix;
    transpose: boolean;
    bias?: Tensor | undefined;
    residual?: Tensor | undefined;
    output?: Tensor | undefined;
    plus?: readonly PlusOptions[];
  },
): Tensor {
  const parts = partsOf(weight);
  const inner = parts.at(-1)!.rows[1];
  if (parts.length === 1) {
    return matmul(graph, x, parts[0]!.tensor, {
      transposeB: transpose,
      ...(bias ? { bias } : {}),
      ...(residual ? { residual } : {}),
      ...(output ? { output } : {}),
      plus,
    });
  }
  if (!transpose && inner !== x.shape[1]) {
    throw new RangeError(`linear: x is [${x.shape}], the parts of the weight have ${inner} rows together`);
  }
  const [, width] = sizesOf(weight);
  const outputs = transpose ? inner : width;
  if (bias !== undefined && bias.shape.join() !== `${outputs}`) {
    throw new RangeError(`linear: the weight has ${outputs} outputs, the bias is [${bias.shape}]`);
  }
  const y = output ?? temporary([x.shape[0]!, outputs], "matmul");
  for (const { tensor, rows } of parts) {
    if (transpose) {
      matmul(graph, x, tensor, {
        transposeB: true,
        ...(bias ? { bias: block(reshape(bias, [1, inner]), { columns: rows }) } : {}),
        ...(residual ? { residual: block(residual, { columns: rows }) } : {}),
        output: block(y, { columns: rows }),
      });
    } else if (rows[0] === 0) {
      matmul(graph, block(x, { columns: rows }), tensor, {
        ...(bias ? { bias } : {}),
        ...(residual ? { residual } : {}),
        output: y,
      });
    } else {
      matmul(graph, block(x, { columns: rows }), tensor, { into: y });
    }
  }
  addProducts(graph, y, plus);
  return y;
}
