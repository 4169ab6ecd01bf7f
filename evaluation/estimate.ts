/** Means with all that says how well they are known. */
import {
  bootstrapInterval,
  type BootstrapOptions,
  bootstrapStatistic,
  type Interval,
  mean,
  standardError,
} from "./statistics.ts";

/** A mean and how well it is known. */
export interface Estimate {
  /** The mean. */
  mean: number;
  /** Its standard error; null for a single value. */
  standardError: number | null;
  /** Its bootstrap interval. */
  interval: Interval;
  /** How many values it is of. */
  count: number;
}

/**
 * Returns the mean of values with its standard error and bootstrap interval.
 *
 * @throws RangeError if there are no values, or an option is out of range.
 */
export function estimate(values: readonly number[], options: BootstrapOptions = {}): Estimate {
  return {
    mean: mean(values),
    standardError: values.length < 2 ? null : standardError(values),
    interval: bootstrapInterval(values, options),
    count: values.length,
  };
}

/**
 * Estimates the mean of a − b where both were measured on the same records: what varies from record to record cancels, so
 * that the interval is narrower than those of a and b suggest.
 *
 * @throws RangeError if there are no values or not equally many of both.
 * @example
 * ```ts
 * import { estimateDifference } from "@tr/align/evaluation";
 * import { assertEquals } from "@std/assert";
 *
 * const { mean, interval } = estimateDifference([5, 1, 9], [4, 0, 8]); // always one more
 * assertEquals([mean, ...interval], [1, 1, 1]);
 * ```
 */
export function estimateDifference(
  a: readonly number[],
  b: readonly number[],
  options: BootstrapOptions = {},
): Estimate {
  if (a.length !== b.length) {
    throw new RangeError(
      `estimateDifference: ${a.length} and ${b.length} values; wanted one of each a record`,
    );
  }
  return estimate(a.map((value, i) => value - b[i]!), options);
}

/**
 * Estimates Σ numerators / Σ denominators over records, such as log-probs by tokens.
 *
 * @returns The ratio as `mean`. The standard error is that of a ratio estimator (Cochran, "Sampling Techniques", 1977,
 * equation 6.13, without correction for a finite population).
 * @throws RangeError if there are no values, not equally many of both, or a denominator isn't positive.
 */
export function estimateRatio(
  numerators: readonly number[],
  denominators: readonly number[],
  options: BootstrapOptions = {},
): Estimate {
  const count = numerators.length;
  if (count !== denominators.length) {
    throw new RangeError(
      `estimateRatio: ${count} numerators and ${denominators.length} denominators; wanted one of each a record`,
    );
  }
  const wrong = denominators.find((value) => !(value > 0));
  if (wrong !== undefined) {
    throw new RangeError(`estimateRatio: a denominator is ${wrong}; wanted positive numbers`);
  }
  const ratioOf = (indices: ArrayLike<number>) => {
    let above = 0, below = 0;
    for (let i = 0; i < indices.length; i++) {
      above += numerators[indices[i]!]!;
      below += denominators[indices[i]!]!;
    }
    return above / below;
  };
  const ratio = ratioOf(numerators.map((_, i) => i));
  const residuals = numerators.map((value, i) => (value - ratio * denominators[i]!) / mean(denominators));
  return {
    mean: ratio,
    standardError: count < 2 ? null : standardError(residuals),
    interval: bootstrapStatistic(count, { ...options, statistic: ratioOf }),
    count,
  };
}
