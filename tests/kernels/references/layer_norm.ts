/** LayerNorm and its gradients in float64. */

/** Values and parameters of a norm. */
export interface LayerNormReference {
  weight: ArrayLike<number>;
  bias: ArrayLike<number>;
  epsilon: number;
}

/** x̂ = (x − mean) / √(variance + ε), and 1 / √(variance + ε), of the row of x that begins at `at`. */
function normalize(
  x: ArrayLike<number>,
  { at, channels, epsilon }: Record<"at" | "channels" | "epsilon", number>,
) {
  const row = Float64Array.from({ length: channels }, (_, c) => x[at + c]!);
  const mean = row.reduce((sum, value) => sum + value, 0) / channels;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / channels;
  const factor = 1 / Math.sqrt(variance + epsilon);
  return { normed: row.map((value) => (value - mean) * factor), factor };
}

/** y = x̂ · weight + bias. */
export function layerNorm(x: ArrayLike<number>, { weight, bias, epsilon }: LayerNormReference): Float64Array {
  const channels = weight.length;
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += channels) {
    const { normed } = normalize(x, { at, channels, epsilon });
    normed.forEach((value, c) => y[at + c] = value * weight[c]! + bias[c]!);
  }
  return y;
}

/** Gradients of {@linkcode layerNorm}: by x through the Jacobian ∂x̂ᵢ/∂xⱼ = factor (δᵢⱼ − 1/C − x̂ᵢ x̂ⱼ / C). */
export function layerNormGradients(
  x: ArrayLike<number>,
  { weight, epsilon, gradient }: LayerNormReference & { gradient: ArrayLike<number> },
): { x: Float64Array; weight: Float64Array; bias: Float64Array } {
  const channels = weight.length;
  const dx = new Float64Array(x.length);
  const dw = new Float64Array(channels), db = new Float64Array(channels);
  for (let at = 0; at < x.length; at += channels) {
    const { normed, factor } = normalize(x, { at, channels, epsilon });
    for (let i = 0; i < channels; i++) {
      dw[i]! += gradient[at + i]! * normed[i]!;
      db[i]! += gradient[at + i]!;
      for (let j = 0; j < channels; j++) {
        const slope = factor * ((i === j ? 1 : 0) - 1 / channels - normed[i]! * normed[j]! / channels);
        dx[at + j]! += gradient[at + i]! * weight[i]! * slope;
      }
    }
  }
  return { x: dx, weight: dw, bias: db };
}
