/** Rectangular parts of matrices, as operands of products. */
import type { Tensor } from "./tensor.ts";

/** Some rows and columns of a matrix. The matrix is bound whole; the kernel is told where the part lies. */
export interface Block {
  /** [rows, columns]. */
  readonly matrix: Tensor;
  /** First row and the one after the last. */
  readonly rows: readonly [start: number, end: number];
  /** First column and the one after the last. */
  readonly columns: readonly [start: number, end: number];
}

/**
 * A part of a matrix.
 *
 * @param matrix [rows, columns].
 * @param part.rows First row and the one after the last; all by default.
 * @param part.columns First column and the one after the last; all by default.
 * @throws If the part is empty or not within the matrix.
 */
export function block(
  matrix: Tensor,
  part: { rows?: Block["rows"]; columns?: Block["columns"] },
): Block {
  const [height = 0, width = 0] = matrix.shape;
  const { rows = [0, height], columns = [0, width] } = part;
  const within = ([start, end]: Block["rows"], size: number) => 0 <= start && start < end && end <= size;
  if (matrix.shape.length !== 2 || !within(rows, height) || !within(columns, width)) {
    throw new RangeError(
      `block: rows ${rows.join("…")} and columns ${columns.join("…")} are not within [${matrix.shape}]`,
    );
  }
  return { matrix, rows, columns };
}

/** Columns of a matrix or of a part of one; itself where that is all of them. */
export function columnsOf(operand: Tensor | Block, [start, end]: Block["columns"]): Tensor | Block {
  const { matrix, rows, columns } = "matrix" in operand ? operand : block(operand, {});
  if (start === 0 && end === columns[1] - columns[0]) return operand;
  return block(matrix, { rows, columns: [columns[0] + start, columns[0] + end] });
}

/** A matrix or a part of one as kernels address it. */
export interface MatrixView {
  /** What is bound. */
  readonly tensor: Tensor;
  /** Sizes of the part; three where the tensor is a batch of matrices. */
  readonly shape: readonly number[];
  /** Elements from one row to the next. */
  readonly stride: number;
  /** Elements before the first one. */
  readonly start: number;
}

/** How to address a tensor or a part of one. */
export function viewOf(operand: Tensor | Block): MatrixView {
  if (!("matrix" in operand)) {
    return { tensor: operand, shape: operand.shape, stride: operand.shape.at(-1) ?? 0, start: 0 };
  }
  const { matrix, rows, columns } = operand;
  const stride = matrix.shape[1]!;
  return {
    tensor: matrix,
    shape: [rows[1] - rows[0], columns[1] - columns[0]],
    stride,
    start: rows[0] * stride + columns[0],
  };
}
