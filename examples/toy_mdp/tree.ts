/** The token tree: from one start state, three actions at every state, deterministic, so that everything can be enumerated. */

/** Actions at each state. */
export const ACTIONS = 3;

/** The actions from the start to a leaf, or to a state on the way. */
export type Trajectory = readonly number[];

/** A preference between two leaves. */
export interface Pair {
  /** The preferred one. */
  readonly chosen: Trajectory;
  /** The other. */
  readonly rejected: Trajectory;
}

/** One action taken at one state: a row of the policy, whose log-prob is one number. */
export interface Edge {
  /** The actions that lead to the state. */
  readonly prefix: Trajectory;
  /** The action taken there. */
  readonly action: number;
}

/** All sequences of `length` actions, in lexicographic order. */
export function sequencesOf(length: number): Trajectory[] {
  return Array.from(
    { length: ACTIONS ** length },
    (_, index) => Array.from({ length }, (_, t) => Math.floor(index / ACTIONS ** (length - 1 - t)) % ACTIONS),
  );
}

/** All edges of a tree, level by level; 3 + 9 + … + 3^depth. */
export function edgesOf(depth: number): Edge[] {
  return Array.from({ length: depth }, (_, level) => sequencesOf(level + 1)).flat().map((actions) => ({
    prefix: actions.slice(0, -1),
    action: actions.at(-1)!,
  }));
}

/** The edges along a trajectory. */
export function edgesAlong(trajectory: Trajectory): Edge[] {
  return trajectory.map((action, t) => ({ prefix: trajectory.slice(0, t), action }));
}

/** A leaf's place among all leaves. */
export function leafIndex(trajectory: Trajectory): number {
  return trajectory.reduce((index, action) => index * ACTIONS + action, 0);
}

/**
 * Log-probs of all trajectories, in the order of {@linkcode sequencesOf}.
 *
 * @param edgeLogProbs One number an edge, in the order of {@linkcode edgesOf}.
 */
export function trajectoryLogProbs(edgeLogProbs: ArrayLike<number>, depth: number): Float64Array {
  let sums = Float64Array.of(0); // of the states at one level
  let offset = 0;
  for (let level = 0; level < depth; level++) {
    const states = sums;
    sums = Float64Array.from(
      { length: states.length * ACTIONS },
      (_, i) => states[Math.floor(i / ACTIONS)]! + edgeLogProbs[offset + i]!,
    );
    offset += sums.length;
  }
  return sums;
}
