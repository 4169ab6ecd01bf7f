/** The products that everybody computes, and how their operands are filled. */

/** [m, k] times [k, n]. */
export interface ProductSize {
  /** Rows of the first operand and of the product. */
  readonly m: number;
  /** Columns of the second operand and of the product. */
  readonly n: number;
  /** What is summed over. */
  readonly k: number;
}

/** Values of an operand; `torch_product.py` has the same formula. */
export function operandValues(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => (i * 7919 % 1000) / 1000 - 0.5);
}

/** Entries of the product that show whether it is the right one: the first, the last, and one in the middle. */
export function sampleOf(product: ArrayLike<number>): number[] {
  return [0, Math.floor(product.length / 2) + 7, product.length - 1].map((i) => product[i]!);
}

/** Reads `m n k` from arguments. */
export function parseSize([m, n, k]: readonly string[]): ProductSize {
  return { m: Number(m), n: Number(n), k: Number(k) };
}
