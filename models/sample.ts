/**
 * Choosing the next token from a row of logits, on the host in float64.
 *
 * @module
 */

/** How the next token is chosen. */
export interface SamplingOptions {
  /** What logits are divided by, from 0; 0 takes the likeliest token. */
  readonly temperature: number;
  /** Keep the `topK` likeliest tokens and those that tie with the last of them; null keeps all. */
  readonly topK?: number | null;
  /** Then keep the fewest likeliest tokens whose probabilities add up to `topP` or more; null keeps all. */
  readonly topP?: number | null;
}

/** Tokens that may be chosen. */
export interface TokenDistribution {
  /** Token ids: likeliest first where `topP` is given, ascending otherwise. */
  readonly tokens: Uint32Array;
  /** The probability of each; they add up to 1. */
  readonly probabilities: Float64Array;
}

/**
 * Draws the next token: temperature first, then top-k, then top-p, as Hugging Face's generation does.
 *
 * @param logits [vocabulary]
 * @param options how to choose, and `random`, which returns a number in [0, 1) and is called once unless the temperature
 * is 0
 * @returns the token's id; the smallest of several that are equally likely, where the temperature is 0
 * @throws {RangeError} if an option is out of range or would be ignored, or no finite logit is the highest
 *
 * @example
 * ```ts
 * import { sampleToken } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const logits = [0, Math.log(2), Math.log(5)]; // probabilities 1/8, 2/8, 5/8
 * assertEquals(sampleToken(logits, { temperature: 0, random: Math.random }), 2);
 * assertEquals(sampleToken(logits, { temperature: 1, random: () => 0.2 }), 1);
 * assertEquals(sampleToken(logits, { temperature: 1, topK: 1, random: () => 0.2 }), 2);
 * ```
 */
export function sampleToken(
  logits: ArrayLike<number>,
  options: SamplingOptions & { readonly random: () => number },
): number {
  checkSampling(options);
  if (options.temperature === 0) return likeliest(logits);
  const { tokens, probabilities } = tokenDistribution(logits, options);
  let left = options.random();
  let chosen = 0;
  for (let i = 0; i < tokens.length && left >= 0; i++) {
    if (probabilities[i] === 0) continue; // nor is it what rounding may leave over at the end
    left -= probabilities[i]!;
    chosen = i;
  }
  return tokens[chosen]!;
}

/**
 * The tokens that {@linkcode sampleToken} draws from, with their probabilities.
 *
 * @param logits [vocabulary]
 * @throws {RangeError} as {@linkcode sampleToken} does, or if the temperature is 0
 */
export function tokenDistribution(logits: ArrayLike<number>, options: SamplingOptions): TokenDistribution {
  checkSampling(options);
  const { temperature, topK = null, topP = null } = options;
  if (temperature === 0) {
    throw new RangeError("tokenDistribution: temperature 0 is a choice, not a distribution");
  }
  const peak = logits[likeliest(logits)]!;
  const least = topK !== null && topK < logits.length ? kthLargest(logits, topK) : -Infinity;
  let tokens = Uint32Array.from(logits, (_, token) => token).filter((token) => logits[token]! >= least);
  let probabilities = normalize(
    Float64Array.from(tokens, (token) => Math.exp((logits[token]! - peak) / temperature)),
  );
  if (topP !== null) {
    const kept = nucleus(probabilities, topP);
    tokens = kept.map((index) => tokens[index]!);
    probabilities = normalize(Float64Array.from(kept, (index) => probabilities[index]!));
  }
  return { tokens, probabilities };
}

/** The natural logarithm of the model's own probability of `token`: at temperature 1, all tokens kept. */
export function tokenLogProb(logits: ArrayLike<number>, token: number): number {
  const peak = logits[likeliest(logits)]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - peak);
  return logits[token]! - peak - Math.log(sum);
}

/**
 * Fails unless the options are in range and each has an effect.
 *
 * @throws {RangeError} that names the option and its value
 */
export function checkSampling({ temperature, topK = null, topP = null }: SamplingOptions): void {
  if (!Number.isFinite(temperature) || temperature < 0) {
    throw new RangeError(`temperature is ${temperature}; wanted a number from 0`);
  }
  if (topK !== null && !(Number.isSafeInteger(topK) && topK > 0)) {
    throw new RangeError(`topK is ${topK}; wanted a positive integer, or null to keep all tokens`);
  }
  if (topP !== null && !(topP > 0 && topP <= 1)) {
    throw new RangeError(`topP is ${topP}; wanted a number above 0 and up to 1, or null to keep all tokens`);
  }
  if (temperature === 0 && (topK !== null || topP !== null)) {
    const given = topK !== null ? `topK ${topK}` : `topP ${topP}`;
    throw new RangeError(
      `temperature 0 takes the likeliest token and would ignore ${given}; leave one of them out`,
    );
  }
}

/** The first token with the highest logit. */
function likeliest(logits: ArrayLike<number>): number {
  let best = 0;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    if (Number.isNaN(logit)) {
      throw new RangeError(`The logit of token ${token} is NaN; are the model's weights finite?`);
    }
    if (logit > logits[best]!) best = token;
  }
  if (Number.isFinite(logits[best])) return best;
  throw new RangeError(
    `The highest of ${logits.length} logits is ${logits[best]}; are the model's weights finite?`,
  );
}

function normalize(weights: Float64Array): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Indices of the fewest largest probabilities that add up to `share` or more, largest first. */
function nucleus(probabilities: Float64Array, share: number): Uint32Array {
  // All that are smaller than this add up to less than 1 − share, so none of them is needed, nor has to be sorted.
  const negligible = (1 - share) / probabilities.length / 2;
  const sorted = Uint32Array.from(probabilities, (_, index) => index)
    .filter((index) => probabilities[index]! >= negligible)
    .sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
  let count = 0;
  for (let sum = 0; count < sorted.length && sum < share; count++) sum += probabilities[sorted[count]!]!;
  return sorted.subarray(0, count);
}

/** The k-th largest value, by Hoare's selection. */
function kthLargest(values: ArrayLike<number>, k: number): number {
  const work = Float64Array.from(values);
  let [low, high] = [0, work.length - 1];
  while (low < high) {
    const pivot = work[(low + high) >> 1]!;
    let [i, j] = [low, high];
    while (i <= j) {
      while (work[i]! > pivot) i++;
      while (work[j]! < pivot) j--;
      if (i > j) break;
      [work[i], work[j]] = [work[j]!, work[i]!];
      i++;
      j--;
    }
    if (k - 1 <= j) high = j;
    else if (k - 1 >= i) low = i;
    else break;
  }
  return work[k - 1]!;
}
