/** Preferences of a problem, drawn from a seed. */
import { createRandom } from "@tr/align/data";
import { ACTIONS, leafIndex, type Pair, type Trajectory } from "./tree.ts";

/** What the preferences are like. */
export interface PairOptions {
  /** Actions of a trajectory. */
  readonly depth: number;
  /** How many pairs. */
  readonly pairs: number;
  /** How many first actions the two trajectories of a pair have in common at least. */
  readonly shared: number;
}

/**
 * Draws pairs of trajectories, all different from each other.
 *
 * @throws {RangeError} If the tree has too few leaves, or two trajectories that differ can't share so many actions.
 */
export function drawPairs(seed: number, { depth, pairs, shared }: PairOptions): Pair[] {
  const leaves = ACTIONS ** depth;
  if (!(pairs >= 1 && 4 * pairs <= leaves)) {
    throw new RangeError(
      `pairs is ${pairs}; a tree of ${leaves} leaves has room for 1 to ${Math.floor(leaves / 4)}`,
    );
  }
  if (!(shared >= 0 && shared < depth)) {
    throw new RangeError(
      `shared is ${shared}; trajectories of ${depth} actions can share 0 to ${depth - 1} and differ`,
    );
  }
  const random = createRandom(seed);
  const taken = new Set<number>();
  const draw = (prefix: Trajectory): Trajectory => {
    const rest = Array.from({ length: depth - prefix.length }, () => random.below(ACTIONS));
    const trajectory = [...prefix, ...rest];
    if (taken.has(leafIndex(trajectory))) return draw(prefix);
    taken.add(leafIndex(trajectory));
    return trajectory;
  };
  const drawPair = (): Pair => {
    const chosen = draw([]);
    const siblings = ACTIONS ** (depth - shared); // leaves below the shared actions, the chosen one among them
    const first = Math.floor(leafIndex(chosen) / siblings) * siblings;
    const isFull = Array.from({ length: siblings }, (_, i) => taken.has(first + i)).every(Boolean);
    return isFull ? drawPair() : { chosen, rejected: draw(chosen.slice(0, shared)) };
  };
  return Array.from({ length: pairs }, drawPair);
}
