import { epochOrder } from "./shuffle.ts";

/** A part of a mixture: a run of examples, and how much of what is drawn comes from it. */
export interface MixtureSource {
  /** The index of its first example. */
  readonly start: number;
  /** How many examples it has. */
  readonly count: number;
  /** Its weight; its share is this over the sum of all weights. */
  readonly weight: number;
}

/** What fixes the order of a mixture's epoch. */
export interface MixtureOrderOptions {
  /** The run's seed, an integer. */
  seed: number;
  /** The epoch, from 0. */
  epoch: number;
  /**
   * Whether examples come in random order; default true. Otherwise the sources take turns, each in its own
   * order.
   */
  shuffle?: boolean;
}

/**
 * How many examples an epoch draws from each source: shares in the ratio of the weights, of the largest
 * epoch in which no source has to give more examples than it has.
 *
 * @throws {Error} if a weight isn't above 0, or so small that its source gives nothing
 *
 * @example
 * ```ts
 * import { mixtureCounts } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const sources = [{ start: 0, count: 100, weight: 0.7 }, { start: 100, count: 900, weight: 0.3 }];
 * assertEquals(mixtureCounts(sources), [100, 42]); // 142 examples, 70 % of which are all of the first source's
 * ```
 */
export function mixtureCounts(sources: readonly MixtureSource[]): number[] {
  const total = sources.reduce((sum, { weight }) => sum + weight, 0);
  for (const { weight } of sources) {
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw new Error(`A mixture's weight is ${weight}; wanted a number above 0`);
    }
  }
  const epoch = Math.min(...sources.map(({ count, weight }) => count * total / weight));
  return sources.map(({ count, weight }, i) => {
    // Without the small term, rounding could take one away where the product is whole.
    const drawn = Math.min(count, Math.floor(epoch * weight / total + 1e-6));
    if (drawn > 0) return drawn;
    throw new Error(
      `A mixture's source ${i + 1} has weight ${weight} of ${total}, less than one record of an epoch of ` +
        `${Math.floor(epoch)}; raise it or leave the source out`,
    );
  });
}

/**
 * The examples of a mixture's epoch, as indices, in order. They depend on nothing but the arguments.
 *
 * Each source is gone through in a random order of its own, and an epoch goes on where the last one stopped,
 * so that every example is drawn once before any is drawn again.
 */
export function mixtureOrder(
  sources: readonly MixtureSource[],
  { seed, epoch, shuffle = true }: MixtureOrderOptions,
): Uint32Array {
  const counts = mixtureCounts(sources);
  const drawn = sources.map((source, i) => {
    const { start, count } = source;
    const first = epoch * counts[i]!;
    let pass = -1;
    let order: Uint32Array | undefined;
    return Uint32Array.from({ length: counts[i]! }, (_, j) => {
      const place = first + j;
      if (Math.floor(place / count) !== pass) {
        pass = Math.floor(place / count);
        // Streams from 2^32 on are the sources'; those below are the epochs' own.
        order = shuffle ? epochOrder({ seed, epoch: (i + 1) * 2 ** 32 + pass, count }) : undefined;
      }
      return start + (order?.[place % count] ?? place % count);
    });
  });
  if (!shuffle) return takeTurns(drawn);
  const all = drawn.flatMap((indices) => [...indices]);
  return epochOrder({ seed, epoch, count: all.length }).map((index) => all[index]!);
}

/** Spreads each list evenly over the whole. */
function takeTurns(lists: readonly Uint32Array[]): Uint32Array {
  const placed = lists.flatMap((list) =>
    Array.from(list, (index, place) => ({ index, at: (place + 0.5) / list.length }))
  );
  return Uint32Array.from(placed.sort((a, b) => a.at - b.at), ({ index }) => index);
}
