/** The error function and GELU in float64. */

/** erf(z) = 2/√π exp(−z²) Σₙ 2ⁿ z²ⁿ⁺¹ / (2n + 1)!!, whose terms all have one sign. */
export function erf(z: number): number {
  let term = z, sum = 0;
  for (let n = 0; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    sum += term;
    term *= 2 * z * z / (2 * n + 3);
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-z * z) * sum;
}

/** Which Φ, as PyTorch names it. */
export type GeluApproximation = "none" | "tanh";

function cumulative(x: number, approximation: GeluApproximation): { value: number; slope: number } {
  if (approximation === "none") {
    return {
      value: (1 + erf(x / Math.SQRT2)) / 2,
      slope: Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI),
    };
  }
  const root = Math.sqrt(2 / Math.PI);
  const tanh = Math.tanh(root * (x + 0.044715 * x ** 3));
  return { value: (1 + tanh) / 2, slope: (1 - tanh ** 2) / 2 * root * (1 + 3 * 0.044715 * x ** 2) };
}

/** x Φ(x). */
export function gelu(x: ArrayLike<number>, approximation: GeluApproximation): Float64Array {
  return Float64Array.from(x, (value) => value * cumulative(value, approximation).value);
}

/** The gradient of {@linkcode gelu}: g · (Φ(x) + x Φ′(x)). */
export function geluGradient(
  x: ArrayLike<number>,
  { approximation, gradient }: { approximation: GeluApproximation; gradient: ArrayLike<number> },
): Float64Array {
  return Float64Array.from(x, (at, i) => {
    const { value, slope } = cumulative(at, approximation);
    return gradient[i]! * (value + at * slope);
  });
}
