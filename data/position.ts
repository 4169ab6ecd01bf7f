import { mixtureCounts, mixtureOrder, type MixtureSource } from "./mixture.ts";
import { epochOrder } from "./shuffle.ts";

/** How far a run has come in its data; all that a checkpoint has to keep of it. */
export interface DataPosition {
  /** Complete passes over the data, from 0. */
  epoch: number;
  /** Examples of this epoch that were used. */
  offset: number;
}

/** One batch, and where the next one starts. */
export interface Batch {
  /** `size` indices of examples. */
  indices: Uint32Array;
  /** The position after the batch. */
  next: DataPosition;
}

/** What fixes the sequence of batches. */
export interface BatchOptions {
  /** The number of examples. */
  count: number;
  /** Examples a batch. */
  size: number;
  /** The run's seed. */
  seed: number;
  /** Whether each epoch has its own random order; default true. */
  shuffle?: boolean;
  /**
   * Draws from parts of the examples by weight, see {@linkcode mixtureOrder}; null or absent takes all
   * examples.
   */
  mixture?: readonly MixtureSource[] | null;
}

/** The position of a run that hasn't started. */
export function startOfData(): DataPosition {
  return { epoch: 0, offset: 0 };
}

/**
 * Counts the passes over the data that are complete at a position: an epoch that has no full batch left is.
 *
 * @example
 * ```ts
 * import { completedEpochs } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const epochs = [0, 2, 4].map((offset) => completedEpochs({ epoch: 1, offset }, { count: 5, size: 2 }));
 * assertEquals(epochs, [1, 1, 2]); // the fifth example is left out
 * ```
 */
export function completedEpochs(
  { epoch, offset }: DataPosition,
  { size, ...data }: Pick<BatchOptions, "count" | "size" | "mixture">,
): number {
  const count = epochLength(data);
  const isComplete = offset === count || (size <= count && offset + size > count);
  return isComplete ? epoch + 1 : epoch;
}

/** Passes over the data up to a position, as TRL's `epoch`: with the share of the pass that is under way. */
export function epochsDone(
  { epoch, offset }: DataPosition,
  data: Pick<BatchOptions, "count" | "mixture">,
): number {
  return epoch + offset / epochLength(data);
}

/** Examples that an epoch draws: all, or of a mixture as many as its weights allow. */
export function epochLength({ count, mixture = null }: Pick<BatchOptions, "count" | "mixture">): number {
  return mixture === null ? count : mixtureCounts(mixture).reduce((sum, drawn) => sum + drawn, 0);
}

/**
 * Makes the function that takes a position and gives the batch there.
 *
 * The batch depends only on the position and the options, so a run resumes by giving the saved position.
 * Every batch is full. A batch doesn't mix epochs: the examples that are left over when an epoch has no full
 * batch any more are left out of that epoch, other ones each time when shuffling. Only where there are fewer
 * examples than a batch needs is it filled up from the epochs that follow.
 *
 * @throws {Error} if `count` or `size` isn't an integer from 1; when called, if the position isn't one of
 * this data
 *
 * @example
 * ```ts
 * import { createBatches, startOfData } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const takeBatch = createBatches({ count: 5, size: 2, seed: 0, shuffle: false });
 * const first = takeBatch(startOfData());
 * const second = takeBatch(first.next);
 * assertEquals([...first.indices, ...second.indices], [0, 1, 2, 3]);
 * assertEquals(takeBatch(second.next).next, { epoch: 1, offset: 2 });
 * ```
 */
export function createBatches(
  { count: all, size, seed, shuffle = true, mixture = null }: BatchOptions,
): (position: DataPosition) => Batch {
  const count = epochLength({ count: all, mixture });
  for (const [name, value] of [["count", count], ["size", size]] as const) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new Error(
        `Batches of ${size} from ${count} examples: ${name} is ${value}; wanted an integer from 1`,
      );
    }
  }
  const orderOf = keepLatest((epoch) => {
    if (mixture !== null) return mixtureOrder(mixture, { seed, epoch, shuffle });
    return shuffle ? epochOrder({ seed, epoch, count }) : undefined;
  });

  return (position) => {
    let { epoch, offset } = requirePosition(position, count);
    if (size <= count && offset + size > count) [epoch, offset] = [epoch + 1, 0];
    const indices = new Uint32Array(size);
    for (let taken = 0; taken < size; taken++) {
      if (offset === count) [epoch, offset] = [epoch + 1, 0];
      indices[taken] = orderOf(epoch)?.[offset] ?? offset;
      offset++;
    }
    return { indices, next: { epoch, offset } };
  };
}

/** Remembers the last result, because successive batches mostly come from the same epoch. */
function keepLatest<T>(compute: (key: number) => T): (key: number) => T {
  let latest: { key: number; value: T } | undefined;
  return (key) => {
    if (latest?.key !== key) latest = { key, value: compute(key) };
    return latest.value;
  };
}

function requirePosition(position: DataPosition, count: number): DataPosition {
  const { epoch, offset } = position;
  const isValid = Number.isSafeInteger(epoch) && epoch >= 0 && Number.isSafeInteger(offset) && offset >= 0;
  if (isValid && offset <= count) return position;
  throw new Error(
    `Data position is epoch ${epoch}, offset ${offset}; wanted integers from 0 and an offset of at most ` +
      `${count}, the number of examples: was the data changed since the checkpoint?`,
  );
}
