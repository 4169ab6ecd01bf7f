/** Win rates as if both answers were equally long. */
import type { Estimate } from "../estimate.ts";
import { type BootstrapOptions, bootstrapStatistic } from "../statistics.ts";
import type { Outcome } from "../win_rate.ts";

/** A judged pair of answers. */
export interface LengthOutcome {
  /** For the policy. */
  readonly outcome: Outcome;
  /** Characters of the policy's answer less those of its opponent's. */
  readonly difference: number;
}

/** Precision of the normal prior on both coefficients: it keeps them finite where one length, or one side, always wins. */
const PRIOR = 0.01;
const ITERATIONS = 50;
const CONVERGED = 1e-10;

/**
 * Estimates the share of prompts that a policy would win if its answers were as long as its opponent's, after Dubois et al.,
 * "Length-Controlled AlpacaEval" (arXiv 2404.04475).
 *
 * The win probability is fitted as σ(θ + φ tanh(d / s)), where d is the difference in length and s its standard deviation
 * over the prompts, and σ(θ) is the estimate. Their third term, how much a prompt's difficulty favours a model, takes
 * judgements of many models and is left out, and so is their penalty: the numbers are not those of AlpacaEval's
 * leaderboard. A tie counts as half a win and half a loss; the standard error is that of maximum likelihood.
 *
 * @throws RangeError if there are no outcomes.
 */
export function lengthControlledWinRate(
  outcomes: readonly LengthOutcome[],
  bootstrap: BootstrapOptions = {},
): Estimate {
  if (outcomes.length === 0) {
    throw new RangeError("lengthControlledWinRate: no outcomes; pass at least one");
  }
  const differences = outcomes.map(({ difference }) => difference);
  const spread = deviation(differences);
  const x = Float64Array.from(differences, (difference) => spread === 0 ? 0 : Math.tanh(difference / spread));
  const y = Float64Array.from(outcomes, ({ outcome }) => outcome);
  const all = Uint32Array.from(outcomes, (_, i) => i);
  const { theta, variance } = fit(x, y, all);
  const rate = sigmoid(theta);
  return {
    mean: rate,
    standardError: rate * (1 - rate) * Math.sqrt(variance),
    interval: bootstrapStatistic(outcomes.length, {
      ...bootstrap,
      statistic: (drawn) => sigmoid(fit(x, y, drawn).theta),
    }),
    count: outcomes.length,
  };
}

/** θ of the likeliest fit to the records drawn, by Newton's method, and its variance. */
function fit(
  x: Float64Array,
  y: Float64Array,
  drawn: Uint32Array,
): { theta: number; variance: number } {
  let theta = 0, phi = 0, variance = 0;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    let [gradientTheta, gradientPhi] = [-PRIOR * theta, -PRIOR * phi];
    let [tt, tp, pp] = [PRIOR, 0, PRIOR]; // the negative Hessian
    for (let k = 0; k < drawn.length; k++) {
      const i = drawn[k]!;
      const p = sigmoid(theta + phi * x[i]!);
      const residual = y[i]! - p, weight = p * (1 - p);
      gradientTheta += residual;
      gradientPhi += residual * x[i]!;
      tt += weight;
      tp += weight * x[i]!;
      pp += weight * x[i]! ** 2;
    }
    const determinant = tt * pp - tp * tp;
    variance = pp / determinant;
    const [stepTheta, stepPhi] = [
      (pp * gradientTheta - tp * gradientPhi) / determinant,
      (tt * gradientPhi - tp * gradientTheta) / determinant,
    ];
    // A whole step may overshoot far from the optimum.
    const scale = Math.min(1, 2 / Math.max(Math.abs(stepTheta), Math.abs(stepPhi), 1e-300));
    theta += scale * stepTheta;
    phi += scale * stepPhi;
    if (Math.abs(stepTheta) + Math.abs(stepPhi) < CONVERGED) break;
  }
  return { theta, variance };
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
