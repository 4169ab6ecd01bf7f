/** Matrix products in float64. */

/** A matrix or a batch of them: row-major values and sizes. */
export interface Matrix {
  values: ArrayLike<number>;
  rows: number;
  columns: number;
}

/** The matrix with rows and columns swapped. */
export function transpose({ values, rows, columns }: Matrix): Matrix {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!;
  }
  return { values: result, rows: columns, columns: rows };
}

/** a · b. */
export function product(a: Matrix, b: Matrix): Float64Array {
  const result = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.columns; j++) {
      let sum = 0;
      for (let k = 0; k < a.columns; k++) sum += a.values[i * a.columns + k]! * b.values[k * b.columns + j]!;
      result[i * b.columns + j] = sum;
    }
  }
  return result;
}

/** a + b, element by element. */
export function plus(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return Float64Array.from(a, (value, i) => value + b[i]!);
}
