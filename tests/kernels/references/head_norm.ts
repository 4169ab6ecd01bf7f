/** RMSNorm of heads in float64: each head is a row of an RMSNorm. */
import { rmsNorm, rmsNormGradients } from "./rows.ts";

/** Heads and their weights. */
export interface HeadNormReference {
  queryWeight: ArrayLike<number>;
  keyWeight: ArrayLike<number>;
  heads: number;
  keyValueHeads: number;
  epsilon: number;
}

/** Where each head of each row begins, and its weight; values have none. */
function headsOf(count: number, options: HeadNormReference) {
  const { queryWeight, keyWeight, heads, keyValueHeads } = options;
  const headSize = queryWeight.length;
  const perRow = heads + 2 * keyValueHeads;
  return Array.from({ length: count / headSize }, (_, i) => {
    const kind = i % perRow < heads ? "query" : i % perRow < heads + keyValueHeads ? "key" : "value";
    const weight = { query: queryWeight, key: keyWeight, value: undefined }[kind];
    return { at: i * headSize, kind, weight } as const;
  });
}

/** Normed queries and keys, unchanged values. */
export function headNorm(x: Float32Array, options: HeadNormReference): Float64Array {
  const y = Float64Array.from(x);
  for (const { at, weight } of headsOf(x.length, options)) {
    if (weight !== undefined) y.set(rmsNorm(x.subarray(at, at + weight.length), { ...options, weight }), at);
  }
  return y;
}

/** Gradients of {@linkcode headNorm}. */
export function headNormGradients(
  x: Float32Array,
  options: HeadNormReference & { gradient: Float32Array },
): { x: Float64Array; query: Float64Array; key: Float64Array } {
  const size = options.queryWeight.length;
  const dx = Float64Array.from(options.gradient);
  const sums = { query: new Float64Array(size), key: new Float64Array(size) };
  for (const { at, kind, weight } of headsOf(x.length, options)) {
    if (kind === "value") continue;
    const own = rmsNormGradients(x.subarray(at, at + size), {
      weight: weight!,
      epsilon: options.epsilon,
      gradient: options.gradient.subarray(at, at + size),
    });
    dx.set(own.x, at);
    own.weight.forEach((value, c) => sums[kind][c]! += value);
  }
  return { x: dx, ...sums };
}
