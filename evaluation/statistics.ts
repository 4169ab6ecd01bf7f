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

/** The lower and the upper end of an interval. */
export type Interval = [low: number, high: number];

/** Options of {@linkcode bootstrapInterval} and its kin. */
export interface BootstrapOptions {
  /** Share of resampled statistics that the interval covers, between 0 and 1; 0.95 by default. */
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
  options: BootstrapOptions = {},
): Interval {
  return bootstrapStatistic(values.length, {
    ...options,
    statistic: (drawn) => drawn.reduce((sum, i) => sum + values[i]!, 0) / drawn.length,
  });
}

/**
 * Returns an interval for any statistic of records, by the percentile bootstrap: whole records are drawn anew, so that what
 * belongs together stays together.
 *
 * @param records How many records there are.
 * @param options.statistic Called with the indices of the records that were drawn, in an array that is used again.
 * @throws RangeError if there are no records, or an option is out of range.
 */
export function bootstrapStatistic(
  records: number,
  { statistic, confidence = 0.95, resamples = 10_000, seed = 0 }: BootstrapOptions & {
    statistic: (drawn: Uint32Array) => number;
  },
): Interval {
  if (records === 0) throw new RangeError("bootstrap: no values; pass at least one");
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`bootstrap: confidence is ${confidence}; give a share between 0 and 1`);
  }
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new RangeError(`bootstrap: resamples is ${resamples}; give an integer of 1 or more`);
  }
  const random = createRandom(seed);
  const drawn = new Uint32Array(records);
  const statistics = Float64Array.from({ length: resamples }, () => {
    for (let i = 0; i < records; i++) drawn[i] = random.below(records);
    return statistic(drawn);
  }).sort();
  const tail = (1 - confidence) / 2;
  const at = (share: number) => statistics[Math.min(resamples - 1, Math.floor(share * resamples))]!;
  return [at(tail), at(1 - tail)];
}
