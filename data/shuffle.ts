import { createRandom } from "./random.ts";

/** What fixes the order of an epoch. */
export interface EpochOrderOptions {
  /** The run's seed, an integer. */
  seed: number;
  /** The epoch, from 0. */
  epoch: number;
  /** The number of examples. */
  count: number;
}

/**
 * The order in which an epoch visits its examples: a random permutation of 0 … `count` − 1 that depends on
 * nothing but the three numbers given (Fisher and Yates' shuffle, one random stream an epoch).
 *
 * @throws {Error} if `seed` isn't an integer, or `epoch` or `count` isn't an integer from 0
 *
 * @example
 * ```ts
 * import { epochOrder } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const order = epochOrder({ seed: 0, epoch: 3, count: 5 });
 * assertEquals([...order].sort(), [0, 1, 2, 3, 4]);
 * assertEquals(epochOrder({ seed: 0, epoch: 3, count: 5 }), order);
 * ```
 */
export function epochOrder({ seed, epoch, count }: EpochOrderOptions): Uint32Array {
  for (const [name, value] of [["epoch", epoch], ["count", count]] as const) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new Error(`${name} is ${value}; wanted an integer from 0`);
    }
  }
  const random = createRandom(seed, { stream: epoch });
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
