import { assertEquals } from "@std/assert";
import { pairRotaryRows, transposed, unweaveHeads } from "../../../../models/files/gguf/rows.ts";

/** [rows, size] numbers that say their row and column: row + column / 100. */
function numbered(rows: number, size: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: rows * size }, (_, i) => Math.floor(i / size) + (i % size) / 100);
}

const rowsOf = (values: Float32Array, size: number) =>
  Array.from({ length: values.length / size }, (_, row) => Math.floor(values[row * size]!));

Deno.test("pairRotaryRows makes neighbours of the rows that rotate together", () => {
  const { unit, shape, apply } = pairRotaryRows([12, 5], { headSize: 6 });
  assertEquals([unit, shape], [30, [12, 5]]);
  const result = apply(numbered(12, 5));
  assertEquals(rowsOf(result, 5), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
  assertEquals([...result.subarray(5, 10)], [...Float32Array.of(3, 3.01, 3.02, 3.03, 3.04)]);
});

Deno.test("pairRotaryRows keeps the angles of queries and keys: rotating neighbours equals rotating halves", () => {
  // RoFormer (arXiv 2104.09864) eq. 34 on neighbours, and the half-split form of Hugging Face, of one head of 8.
  const values = Float32Array.from({ length: 8 }, (_, i) => Math.sin(i + 1));
  const angle = (pair: number) => 0.7 * 10 ** -pair;
  const turn = (x: ArrayLike<number>, partner: (pair: number) => [number, number]) => {
    const result = new Array<number>(8);
    for (let pair = 0; pair < 4; pair++) {
      const [a, b] = partner(pair);
      result[a] = x[a]! * Math.cos(angle(pair)) - x[b]! * Math.sin(angle(pair));
      result[b] = x[a]! * Math.sin(angle(pair)) + x[b]! * Math.cos(angle(pair));
    }
    return result;
  };
  const { apply } = pairRotaryRows([8, 1], { headSize: 8 });
  const neighbours = turn(apply(values), (pair) => [2 * pair, 2 * pair + 1]);
  const halves = turn(values, (pair) => [pair, pair + 4]);
  assertEquals(Float32Array.from(neighbours), apply(Float32Array.from(halves)));
});

Deno.test("unweaveHeads puts all queries before all keys before all values", () => {
  // Two heads of two channels: head 0 has rows 0-1 (query), 2-3 (key), 4-5 (value), head 1 rows 6-11.
  const order = [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11];
  assertEquals(rowsOf(unweaveHeads([12, 3], { headSize: 2 }).apply(numbered(12, 3)), 3), order);
  assertEquals(rowsOf(unweaveHeads([12], { headSize: 2 }).apply(numbered(12, 1)), 1), order);
});

Deno.test("transposed swaps rows and columns", () => {
  const { shape, unit, apply } = transposed([2, 3]);
  assertEquals([shape, unit], [[3, 2], 6]);
  assertEquals([...apply(Float32Array.of(1, 2, 3, 4, 5, 6))], [1, 4, 2, 5, 3, 6]);
});
