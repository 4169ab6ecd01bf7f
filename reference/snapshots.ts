/** A reference as a weighted sum of past policies, which is what soft updates make of it. */

/** Snapshots of the policy and their shares in the reference; what the shares lack of 1 is the start's. */
export interface SnapshotStack {
  /** Share of the snapshot in each place; 0 where there is none. */
  readonly weights: readonly number[];
  /** When each snapshot was taken: 1 for the first, 2 for the next; 0 where there is none. */
  readonly ages: readonly number[];
  /** Snapshots taken so far. */
  readonly taken: number;
  /**
   * The share that stands for snapshots which were given up, as if they had been the one taken after them. The reference
   * is off by at most this times the largest distance between two successive snapshots that were merged so.
   */
  readonly lost: number;
}

/** How a stack changes when the reference moves. */
export interface SnapshotUpdate {
  /** The stack afterwards. */
  readonly stack: SnapshotStack;
  /** The place that the policy's snapshot takes. */
  readonly slot: number;
  /** The policy's share, α. */
  readonly alpha: number;
  /** What the share of each other place is multiplied by; 0 for `slot`. */
  readonly factors: readonly number[];
}

/** The least share that float32 can tell from none. */
const NEGLIGIBLE = 2 ** -24;

/**
 * A stack of `size` places, all free: the reference is the start.
 *
 * @throws {RangeError} If `size` is not a whole number of at least 1.
 */
export function emptySnapshots(size: number): SnapshotStack {
  if (!(Number.isInteger(size) && size >= 1)) {
    throw new RangeError(`snapshots: there must be a whole number of places, at least 1, got ${size}`);
  }
  return { weights: Array(size).fill(0), ages: Array(size).fill(0), taken: 0, lost: 0 };
}

/**
 * Moves a reference that is kept as snapshots: θ_ref ← α θ + (1 − α) θ_ref, so every share there was counts 1 − α times.
 *
 * This is exact as long as there are free places. After that the oldest snapshot is given up, and its share goes to the
 * next oldest; `lost` says how much that is.
 *
 * @throws {RangeError} If α is not in (0, 1], or the oldest of all has no other to leave its share to.
 *
 * @example The shares after three soft updates
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { addSnapshot, emptySnapshots } from "@tr/align/reference";
 *
 * let stack = emptySnapshots(4);
 * for (let update = 0; update < 3; update++) ({ stack } = addSnapshot(stack, { alpha: 0.5 }));
 * assertEquals(stack.weights, [0.125, 0.25, 0.5, 0]); // and 0.125 of the start
 * ```
 */
export function addSnapshot(stack: SnapshotStack, { alpha }: { readonly alpha: number }): SnapshotUpdate {
  if (!(alpha > 0 && alpha <= 1)) {
    throw new RangeError(`snapshots: alpha must be above 0 and at most 1, got ${alpha}`);
  }
  const kept = 1 - alpha;
  const factors = stack.weights.map(() => kept);
  // After a copy of the policy nothing of the others is left, so their places are free.
  let slot = alpha === 1 ? 0 : stack.weights.indexOf(0);
  let lost = kept * stack.lost;
  if (slot === -1) {
    const [oldest, heir] = byAge(stack);
    if (heir === undefined) {
      throw new RangeError(
        "snapshots: one place holds only hard updates; give at least 2 for a smaller alpha",
      );
    }
    slot = oldest!;
    factors[heir] = kept * (stack.weights[heir]! + stack.weights[slot]!) / stack.weights[heir]!;
    lost += kept * stack.weights[slot]!;
  }
  factors[slot] = 0;
  const weights = stack.weights.map((weight, place) => place === slot ? alpha : weight * factors[place]!);
  const taken = stack.taken + 1;
  const ages = stack.ages.map((age, place) => place === slot ? taken : weights[place] === 0 ? 0 : age);
  return { stack: { weights, ages, taken, lost }, slot, alpha, factors };
}

/** Places that hold a snapshot, the oldest first. */
function byAge({ ages }: SnapshotStack): number[] {
  return [...ages.keys()].filter((place) => ages[place]! > 0).sort((a, b) => ages[a]! - ages[b]!);
}

/**
 * Counts the places that a run's updates need so that nothing is lost but what float32 rounds away.
 *
 * @param alphas α of each update, in order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { snapshotsNeeded } from "@tr/align/reference";
 *
 * assertEquals(snapshotsNeeded([1, 1, 1]), 1); // hard updates
 * assertEquals(snapshotsNeeded(Array(100).fill(0.6)), 18); // 0.4¹⁸ is less than 2⁻²⁴
 * assertEquals(snapshotsNeeded(Array(5).fill(0.6)), 5);
 * ```
 */
export function snapshotsNeeded(alphas: readonly number[]): number {
  let most = 1;
  let shares: number[] = [];
  for (const alpha of alphas) {
    shares = [...shares.map((share) => share * (1 - alpha)), alpha].filter((share) => share > NEGLIGIBLE);
    most = Math.max(most, shares.length);
  }
  return most;
}
