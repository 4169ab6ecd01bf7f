/**
 * A small generator of random numbers whose state can be saved.
 *
 * @module
 */

/** Everything that a {@linkcode Random} remembers: four unsigned 32-bit integers, fit for JSON. */
export type RandomState = readonly [number, number, number, number];

/** A deterministic stream of random numbers. */
export interface Random {
  /** The next number, an integer from 0 to 2³² − 1. */
  uint32: () => number;
  /** The next number, from 0 inclusive to 1 exclusive, with 53 random bits (two steps of the generator). */
  uniform: () => number;
  /** The next number, an integer from 0 to `limit` − 1, each equally likely; `limit` from 1 to 2³². */
  below: (limit: number) => number;
  /** The state after the last number, for {@linkcode restoreRandom}. */
  readonly state: RandomState;
}

/**
 * Starts a generator from a seed.
 *
 * The generator is xoshiro128** 1.1 (Blackman and Vigna, arXiv 1805.01407); SplitMix64 spreads the seed over
 * its state, as its authors advise. It is not for secrets.
 *
 * @param seed an integer
 * @param options `stream`: an integer that picks one of many independent streams of the same seed; default 0
 * @throws {Error} if the seed or stream isn't a safe integer
 *
 * @example
 * ```ts
 * import { createRandom, restoreRandom } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const random = createRandom(7);
 * random.uint32();
 * const later = restoreRandom(random.state);
 * assertEquals(later.uniform(), random.uniform());
 * ```
 */
export function createRandom(seed: number, { stream = 0 }: { stream?: number } = {}): Random {
  requireSafeInteger("seed", seed);
  requireSafeInteger("stream", stream);
  const seeded = splitMix64(BigInt.asUintN(64, BigInt(seed)));
  const next = splitMix64(BigInt.asUintN(64, seeded() + BigInt(stream)));
  const [a, b] = [next(), next()];
  const low = (bits: bigint): number => Number(bits & 0xffffffffn);
  return restoreRandom([low(a), low(a >> 32n), low(b), low(b >> 32n)]);
}

/**
 * Continues a generator from a saved state.
 *
 * @throws {Error} if the state isn't four unsigned 32-bit integers of which at least one isn't 0
 */
export function restoreRandom(state: RandomState): Random {
  const isValid = state.length === 4 &&
    state.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32);
  if (!isValid || state.every((word) => word === 0)) {
    throw new Error(`Random state is [${state}]; wanted four integers from 0 to 2^32 - 1, not all 0`);
  }
  let [a, b, c, d] = state;

  function uint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  }

  function uniform(): number {
    const high = uint32() >>> 5;
    const low = uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  function below(limit: number): number {
    if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 32) {
      throw new Error(`Random below(${limit}): wanted an integer from 1 to 2^32`);
    }
    // Rejects the few highest numbers, whose remainders would be too frequent.
    const accepted = 2 ** 32 - (2 ** 32 % limit);
    let number = uint32();
    while (number >= accepted) number = uint32();
    return number % limit;
  }

  return {
    uint32,
    uniform,
    below,
    get state(): RandomState {
      return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
    },
  };
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function splitMix64(state: bigint): () => bigint {
  return () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
}

function requireSafeInteger(name: string, value: number): void {
  if (!Number.isSafeInteger(value)) throw new Error(`Random ${name} is ${value}; wanted an integer`);
}
