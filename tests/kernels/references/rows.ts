/** Operations that work row by row, and their gradients, in float64. */

/** y = x / √(mean(x²) + ε) · weight. */
export function rmsNorm(
  x: ArrayLike<number>,
  { weight, epsilon }: { weight: ArrayLike<number>; epsilon: number },
): Float64Array {
  const channels = weight.length;
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += channels) {
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += x[at + c]! ** 2;
    const root = Math.sqrt(squares / channels + epsilon);
    for (let c = 0; c < channels; c++) y[at + c] = x[at + c]! / root * weight[c]!;
  }
  return y;
}

/** Gradients of {@linkcode rmsNorm}: with r the root, dx_i = w_i g_i / r − x_i Σ_j(w_j g_j x_j) / (C r³). */
export function rmsNormGradients(
  x: ArrayLike<number>,
  { weight, epsilon, gradient }: {
    weight: ArrayLike<number>;
    epsilon: number;
    gradient: ArrayLike<number>;
  },
): { x: Float64Array; weight: Float64Array } {
  const channels = weight.length;
  const dx = new Float64Array(x.length);
  const dw = new Float64Array(channels);
  for (let at = 0; at < x.length; at += channels) {
    let squares = 0, inner = 0;
    for (let c = 0; c < channels; c++) {
      squares += x[at + c]! ** 2;
      inner += weight[c]! * gradient[at + c]! * x[at + c]!;
    }
    const root = Math.sqrt(squares / channels + epsilon);
    for (let c = 0; c < channels; c++) {
      dx[at + c] = weight[c]! * gradient[at + c]! / root - x[at + c]! * inner / (channels * root ** 3);
      dw[c]! += gradient[at + c]! * x[at + c]! / root;
    }
  }
  return { x: dx, weight: dw };
}

const logistic = (z: number) => 1 / (1 + Math.exp(-z));

/** gate σ(gate) · up, where a row of x holds `channels` gates and then as many ups. */
export function swiglu(x: ArrayLike<number>, { channels }: { channels: number }): Float64Array {
  return Float64Array.from({ length: x.length / 2 }, (_, i) => {
    const at = Math.floor(i / channels) * 2 * channels + i % channels;
    return x[at]! * logistic(x[at]!) * x[at + channels]!;
  });
}

/** The gradient of {@linkcode swiglu}. */
export function swigluGradient(
  x: ArrayLike<number>,
  { channels, gradient }: { channels: number; gradient: ArrayLike<number> },
): Float64Array {
  const dx = new Float64Array(x.length);
  for (let i = 0; i < x.length / 2; i++) {
    const at = Math.floor(i / channels) * 2 * channels + i % channels;
    const sigmoid = logistic(x[at]!);
    dx[at] = gradient[i]! * x[at + channels]! * (sigmoid + x[at]! * sigmoid * (1 - sigmoid));
    dx[at + channels] = gradient[i]! * x[at]! * sigmoid;
  }
  return dx;
}

/**
 * Rotary embedding by its definition: elements i and i + D/2 of a head are a complex number that is multiplied by
 * exp(√−1 · position · θ_i). Where there are fewer than D/2 frequencies, that goes for twice as many elements from the
 * head's start, and the others stay. The gradient multiplies by the conjugate: `direction` −1.
 */
export function rotary(x: ArrayLike<number>, options: {
  width: number;
  heads: number;
  headSize: number;
  positions: ArrayLike<number>;
  frequencies: ArrayLike<number>;
  direction: 1 | -1;
}): Float64Array {
  const { width, heads, headSize, positions, frequencies, direction } = options;
  const y = Float64Array.from(x);
  for (let row = 0; row < positions.length; row++) {
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < frequencies.length; i++) {
        const angle = direction * positions[row]! * frequencies[i]!;
        const real = row * width + head * headSize + i;
        const imaginary = real + frequencies.length;
        y[real] = x[real]! * Math.cos(angle) - x[imaginary]! * Math.sin(angle);
        y[imaginary] = x[real]! * Math.sin(angle) + x[imaginary]! * Math.cos(angle);
      }
    }
  }
  return y;
}

/** log softmax(logits)[target] of each row. */
export function tokenLogProbs(
  logits: ArrayLike<number>,
  { vocabulary, targets }: { vocabulary: number; targets: ArrayLike<number> },
): Float64Array {
  return Float64Array.from({ length: targets.length }, (_, row) => {
    const own = Array.prototype.slice.call(logits, row * vocabulary, (row + 1) * vocabulary) as number[];
    const peak = Math.max(...own);
    const total = own.reduce((sum, logit) => sum + Math.exp(logit - peak), 0);
    return own[targets[row]!]! - peak - Math.log(total);
  });
}

/** The gradient of {@linkcode tokenLogProbs} by the logits: gradient · (onehot(target) − softmax(logits)). */
export function tokenLogProbsGradient(
  logits: ArrayLike<number>,
  options: { vocabulary: number; targets: ArrayLike<number>; gradient: ArrayLike<number> },
): Float64Array {
  const { vocabulary, targets, gradient } = options;
  return Float64Array.from(logits, (logit, i) => {
    const row = Math.floor(i / vocabulary), token = i % vocabulary;
    const own = Array.prototype.slice.call(logits, row * vocabulary, (row + 1) * vocabulary) as number[];
    const total = own.reduce((sum, other) => sum + Math.exp(other - logit), 0);
    return gradient[row]! * ((token === targets[row] ? 1 : 0) - 1 / total);
  });
}
