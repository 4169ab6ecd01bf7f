/** How long texts are. */
import { type Estimate, estimate } from "./estimate.ts";
import type { BootstrapOptions } from "./statistics.ts";
import { splitWords } from "./words.ts";

/** What a length counts: words and punctuation marks, tokens, or characters (code points). */
export type LengthUnit = "words" | "tokens" | "characters";

/** Options of {@linkcode measureLengths}. */
export type LengthOptions = BootstrapOptions & {
  /** What to count; tokens need a tokenizer. */
  unit: LengthUnit;
  /** Splits a text into tokens. */
  tokenize?: (text: string) => ArrayLike<number>;
};

/** Lengths of texts: their mean, and how they are spread. */
export interface Lengths extends Estimate {
  /** What was counted. */
  unit: LengthUnit;
  /** The shortest, lengths that 10, 25, 50, 75 and 90 % of the texts don't exceed, and the longest. */
  quantiles: {
    shortest: number;
    p10: number;
    p25: number;
    median: number;
    p75: number;
    p90: number;
    longest: number;
  };
}

/**
 * Measures the lengths of texts.
 *
 * @throws RangeError if there are no texts, or tokens are to be counted without `tokenize`.
 * @example
 * ```ts
 * import { measureLengths } from "@tr/align/evaluation";
 * import { assertEquals } from "@std/assert";
 *
 * const { mean, quantiles } = measureLengths(["one two", "one two three four"], { unit: "words" });
 * assertEquals([mean, quantiles.longest], [3, 4]);
 * ```
 */
export function measureLengths(texts: readonly string[], options: LengthOptions): Lengths {
  const { unit, tokenize } = options;
  if ((unit === "tokens") !== (tokenize !== undefined)) {
    throw new RangeError(
      tokenize ? `measureLengths: tokenize has no effect on ${unit}` : "measureLengths: tokens need tokenize",
    );
  }
  const count = { words: splitWords, characters: (text: string) => [...text], tokens: tokenize }[unit]!;
  return describeLengths(texts.map((text) => count(text).length), options);
}

/** Summarizes lengths that were counted elsewhere, such as tokens while they were generated. */
export function describeLengths(
  lengths: readonly number[],
  options: BootstrapOptions & { unit: LengthUnit },
): Lengths {
  const sorted = Float64Array.from(lengths).sort();
  const quantile = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return {
    unit: options.unit,
    ...estimate(lengths, options),
    quantiles: {
      shortest: quantile(0),
      p10: quantile(0.1),
      p25: quantile(0.25),
      median: quantile(0.5),
      p75: quantile(0.75),
      p90: quantile(0.9),
      longest: quantile(1),
    },
  };
}
