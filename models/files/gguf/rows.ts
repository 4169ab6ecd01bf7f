/**
 * Tensors rearranged from the order in which Hugging Face keeps their rows to that which llama.cpp computes with.
 *
 * @module
 */

/** A rearrangement that works on pieces of a tensor. */
export interface Rearrangement {
  /** Elements that it needs at once: a piece is a whole number of these. */
  readonly unit: number;
  /** Sizes of the result, outermost first. */
  readonly shape: readonly number[];
  /** Rearranges a piece into a new array. */
  apply(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer>;
}

/**
 * Rows of query and key projections for rotary embeddings that turn neighbouring channels.
 *
 * Hugging Face pairs channel i of a head of size D with channel i + D/2, ggml's original rotary with its
 * neighbour: row 2i + s of a head becomes what was row i + s · D/2, s = 0, 1.
 *
 * @param shape [heads · D, ...]
 */
export function pairRotaryRows(shape: readonly number[], { headSize }: { headSize: number }): Rearrangement {
  const rowSize = product(shape.slice(1));
  const half = headSize / 2;
  const unit = headSize * rowSize;
  return {
    unit,
    shape,
    apply: (values) =>
      copyRows(values, rowSize, (row) => {
        const [head, within] = [Math.floor(row / headSize), row % headSize];
        return head * headSize + (within % 2) * half + Math.floor(within / 2);
      }),
  };
}

/**
 * Queries, keys and values out of GPT-NeoX's fused projection: [heads, 3, D, ...] becomes [3, heads, D, ...].
 *
 * @param shape [heads · 3 · D, ...]
 */
export function unweaveHeads(shape: readonly number[], { headSize }: { headSize: number }): Rearrangement {
  const rowSize = product(shape.slice(1));
  const heads = shape[0]! / headSize / 3;
  return {
    unit: product(shape),
    shape,
    apply: (values) =>
      copyRows(values, rowSize, (row) => {
        const [part, head] = [Math.floor(row / headSize / heads), Math.floor(row / headSize) % heads];
        return (head * 3 + part) * headSize + row % headSize;
      }),
  };
}

/** The transpose of a matrix, such as GPT-2's `Conv1D`, which is stored as [inputs, outputs]. */
export function transposed([rows, columns]: readonly [number, number]): Rearrangement {
  return {
    unit: rows * columns,
    shape: [columns, rows],
    apply: (values) => {
      const result = new Float32Array(values.length);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          result[column * rows + row] = values[row * columns + column]!;
        }
      }
      return result;
    },
  };
}

function copyRows(
  values: Float32Array<ArrayBuffer>,
  rowSize: number,
  sourceOf: (row: number) => number,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let row = 0; row < values.length / rowSize; row++) {
    const source = sourceOf(row) * rowSize;
    result.set(values.subarray(source, source + rowSize), row * rowSize);
  }
  return result;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}
