/** AdamW in float64, as Loshchilov & Hutter (arXiv 1711.05101) and PyTorch have it. */

/** What a step reads and writes, one number an element. */
export interface AdamwState {
  parameters: Float64Array;
  first: Float64Array;
  second: Float64Array;
}

/** One step; the state is replaced, not changed. `decays` says whether decoupled decay applies to an element. */
export function adamwStep(
  { parameters, first, second }: AdamwState,
  options: {
    gradient: ArrayLike<number>;
    learningRate: number;
    betas: readonly [number, number];
    epsilon: number;
    weightDecay: number;
    decays: (element: number) => boolean;
    step: number;
  },
): AdamwState {
  const { gradient, learningRate, betas: [beta1, beta2], epsilon, weightDecay, decays, step } = options;
  const nextFirst = first.map((m, i) => beta1 * m + (1 - beta1) * gradient[i]!);
  const nextSecond = second.map((v, i) => beta2 * v + (1 - beta2) * gradient[i]! ** 2);
  const nextParameters = parameters.map((p, i) => {
    const m = nextFirst[i]! / (1 - beta1 ** step);
    const v = nextSecond[i]! / (1 - beta2 ** step);
    const decay = decays(i) ? weightDecay : 0;
    return p - learningRate * decay * p - learningRate * m / (Math.sqrt(v) + epsilon);
  });
  return { parameters: nextParameters, first: nextFirst, second: nextSecond };
}
