/** The token tree's policy and its training in float64, in plain loops, with gradients by finite differences. */
import type { Pair } from "../../../examples/toy_mdp/tree.ts";

/** Weights, row by row: embedding [features, width], hidden [width, width], head [width, outputs]. */
export type Weights = Float64Array[];

/** Sizes of a policy. */
export interface Sizes {
  depth: number;
  width: number;
  features: number;
  outputs: number;
}

/** x Φ(x), Φ by Simpson's rule from 0 to x. */
function gelu(x: number): number {
  const [pieces, step] = [32, x / 32];
  const density = (at: number) => Math.exp(-at * at / 2) / Math.sqrt(2 * Math.PI);
  let integral = 0;
  for (let i = 0; i < pieces; i++) {
    const at = i * step;
    integral += step / 6 * (density(at) + 4 * density(at + step / 2) + density(at + step));
  }
  return x * (0.5 + integral);
}

function layer(x: number[], weight: Float64Array, outputs: number): number[] {
  return Array.from(
    { length: outputs },
    (_, j) => x.reduce((sum, value, i) => sum + value * weight[i * outputs + j]!, 0),
  );
}

/** Log-probs of the three actions after some. */
export function actionLogProbs(
  [embedding, hidden, head]: Weights,
  prefix: readonly number[],
  { features, width, outputs }: Sizes,
): number[] {
  const x = Array(features).fill(0);
  x[0] = 1;
  prefix.forEach((action, position) => x[1 + 3 * position + action] = 1);
  const logits = layer(
    layer(layer(x, embedding!, width).map(gelu), hidden!, width).map(gelu),
    head!,
    outputs,
  ).slice(0, 3);
  const logSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - logSum);
}

/** Log-prob of a trajectory. */
export function logProb(weights: Weights, trajectory: readonly number[], sizes: Sizes): number {
  return trajectory.reduce(
    (sum, action, t) => sum + actionLogProbs(weights, trajectory.slice(0, t), sizes)[action]!,
    0,
  );
}

/** AdamW without decay over weights whose loss is only known as a function. */
export function createAdam(weights: Weights, learningRate: number) {
  const zeros = () => weights.map(({ length }) => new Float64Array(length));
  const [first, second] = [zeros(), zeros()];
  let steps = 0;
  return (loss: (weights: Weights) => number) => {
    steps++;
    const h = 1e-5;
    const gradients = weights.map((values) =>
      values.map((value, i) => {
        values[i] = value + h;
        const above = loss(weights);
        values[i] = value - h;
        const below = loss(weights);
        values[i] = value;
        return (above - below) / (2 * h);
      })
    );
    weights.forEach((values, k) =>
      values.forEach((_, i) => {
        const g = gradients[k]![i]!;
        first[k]![i] = 0.9 * first[k]![i]! + 0.1 * g;
        second[k]![i] = 0.999 * second[k]![i]! + 0.001 * g * g;
        const root = Math.sqrt(second[k]![i]! / (1 - 0.999 ** steps));
        values[i]! -= learningRate * first[k]![i]! / (1 - 0.9 ** steps) / (root + 1e-8);
      })
    );
  };
}

/** DPO's loss of a policy against a reference. */
export function dpoLossOf(
  weights: Weights,
  { pairs, reference, beta, sizes }: {
    pairs: readonly Pair[];
    reference: Weights;
    beta: number;
    sizes: Sizes;
  },
): number {
  const margin = (own: Weights, { chosen, rejected }: Pair) =>
    logProb(own, chosen, sizes) - logProb(own, rejected, sizes);
  const losses = pairs.map((pair) =>
    Math.log1p(Math.exp(-beta * (margin(weights, pair) - margin(reference, pair))))
  );
  return losses.reduce((sum, value) => sum + value, 0) / losses.length;
}
