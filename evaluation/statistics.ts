import { createRandom } from "../data/random.ts";

/**
 * Returns the arithmetic mean.
 *
 * @throws RangeError if there are no values.
 */
export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("mean: no values; pass at least one");
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Returns the standard error of the mean: the sample standard deviation (with n − 1) over √n.
 *
 * @throws RangeError if there are fewer than two values.
 */
export function standardError(values: readonly number[]): number {
  const n = values.length;
  if (n < 2) {
    throw new RangeError(`standardError: ${n} values say nothing of their spread; pass at least two`);
  }
  const center = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (n - 1) / n);
}

/** Options of {@linkcode bootstrapInterval}. */
export interface BootstrapOptions {
  /** Share of resampled means that the interval covers, between 0 and 1; 0.95 by default. */
  confidence?: number;
  /** How many times to resample; 10,000 by default. */
  resamples?: number;
  /** Fixes the resampling, so that the same values give the same interval; 0 by default. */
  seed?: number;
}

/**
 * Returns an interval for the mean by the percentile bootstrap (Efron, 1979): the values are drawn anew with replacement
 * many times, and the middle share of the means is kept.
 *
 * @throws RangeError if there are no values, or an option is out of range.
 * @example
 * ```ts
 * import { bootstrapInterval } from "@tr/align/evaluation";
 * import { assert } from "@std/assert";
 *
 * const wins = [1, 0, 1, 1, 1, 0, 1, 1];
 * const [low, high] = bootstrapInterval(wins);
 * assert(low < 0.75 && 0.75 < high);
 * ```
 */
export function bootstrapInterval(
  values: readonly number[],
  { confidence = 0.95, resamples = 10_000, seed = 0 }: BootstrapOptions = {},
): [low: number, high: number] {
  if (values.length === 0) throw new RangeError("bootstrapInterval: no values; pass at least one");
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`bootstrapInterval: confidence is ${confidence}; give a share between 0 and 1`);
  }
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new RangeError(`bootstrapInterval: resamples is ${resamples}; give an integer of 1 or more`);
  }
  const random = createRandom(seed);
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let drawn = 0; drawn < values.length; drawn++) sum += values[random.below(values.length)]!;
    return sum / values.length;
  }).sort();
  const tail = (1 - confidence) / 2;
  const at = (share: number) => means[Math.min(resamples - 1, Math.floor(share * resamples))]!;
  return [at(tail), at(1 - tail)];
}
