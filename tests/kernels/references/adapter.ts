/** Linear layers with adapters in float64, written as the formula is. */

/** Sizes and numbers of a layer whose rows are split among parts with an adapter each. */
export interface AdaptedLayer {
  rows: number;
  inputs: number;
  outputs: number;
  rank: number;
  x: Float32Array;
  weight: Float32Array;
  dy: Float32Array;
  a: Float32Array;
  parts: { start: number; rows: number; scale: number; b: Float32Array }[];
}

/** W + Σ scale B A. */
export function referenceMerged({ inputs, rank, weight, a, parts }: AdaptedLayer): Float64Array {
  const merged = Float64Array.from(weight);
  parts.forEach(({ start, rows, scale, b }, part) => {
    for (let o = 0; o < rows; o++) {
      for (let i = 0; i < inputs; i++) {
        for (let r = 0; r < rank; r++) {
          merged[(start + o) * inputs + i]! += scale * b[o * rank + r]! * a[(part * rank + r) * inputs + i]!;
        }
      }
    }
  });
  return merged;
}

/** y = x Wᵀ, dx = dy W with the merged weight; dA and each dB from dW = dyᵀ x by the chain rule. */
export function referenceAdapted(layer: AdaptedLayer) {
  const { rows, inputs, outputs, rank, x, dy, a, parts } = layer;
  const merged = referenceMerged(layer);
  const y = new Float64Array(rows * outputs), dx = new Float64Array(rows * inputs);
  const dW = new Float64Array(outputs * inputs);
  for (let t = 0; t < rows; t++) {
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        y[t * outputs + o]! += x[t * inputs + i]! * merged[o * inputs + i]!;
        dx[t * inputs + i]! += dy[t * outputs + o]! * merged[o * inputs + i]!;
        dW[o * inputs + i]! += dy[t * outputs + o]! * x[t * inputs + i]!;
      }
    }
  }
  const dA = new Float64Array(parts.length * rank * inputs);
  const dB = parts.map(({ start, rows, scale, b }, part) => {
    const gradient = new Float64Array(rows * rank);
    for (let o = 0; o < rows; o++) {
      for (let r = 0; r < rank; r++) {
        for (let i = 0; i < inputs; i++) {
          const change = scale * dW[(start + o) * inputs + i]!;
          gradient[o * rank + r]! += change * a[(part * rank + r) * inputs + i]!;
          dA[(part * rank + r) * inputs + i]! += change * b[o * rank + r]!;
        }
      }
    }
    return gradient;
  });
  return { merged, y, dx, dW, dA, dB };
}
