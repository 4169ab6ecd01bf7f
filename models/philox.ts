/**
 * Random numbers without state: each is a function of a seed, a stream and a step.
 *
 * What a stream holds doesn't depend on how many others there are or on who reads first.
 *
 * @module
 */

/** Which random number is meant. */
export interface PhiloxIndex {
  /** An integer; each gives other numbers. */
  readonly seed: number;
  /** Which of the seed's independent streams, an integer from 0. */
  readonly stream: number;
  /** Which number of the stream, an integer from 0. */
  readonly step: number;
}

type Words2 = readonly [number, number];
type Words4 = readonly [number, number, number, number];

const ROUNDS = 10;

/**
 * A number from 0 inclusive to 1 exclusive with 53 random bits, by Philox 4×32-10 (Salmon et al., SC 2011).
 *
 * @throws {RangeError} if the seed isn't a safe integer, or the stream or step isn't one from 0
 */
export function philoxUniform({ seed, stream, step }: PhiloxIndex): number {
  requireInteger("seed", seed, -Infinity);
  requireInteger("stream", stream, 0);
  requireInteger("step", step, 0);
  const [a, b] = philox([...split(step), ...split(stream)], split(seed));
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53;
}

/** Philox 4×32-10 of a counter under a key; all words are unsigned. */
export function philox(counter: Words4, key: Words2): Words4 {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const [highA, lowA] = multiply(a, 0xd2511f53);
    const [highC, lowC] = multiply(c, 0xcd9e8d57);
    [a, b, c, d] = [(highC ^ b ^ k) >>> 0, lowC, (highA ^ d ^ l) >>> 0, lowA];
    k = (k + 0x9e3779b9) >>> 0;
    l = (l + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** The high and low words of a product. */
function multiply(x: number, y: number): Words2 {
  const product = BigInt(x) * BigInt(y);
  return [Number(product >> 32n), Number(product & 0xffffffffn)];
}

/** The low and high words of an integer, in two's complement. */
function split(value: number): Words2 {
  return [value >>> 0, Math.floor(value / 2 ** 32) >>> 0];
}

function requireInteger(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`The random ${name} is ${value}; wanted an integer${least === 0 ? " from 0" : ""}`);
}
