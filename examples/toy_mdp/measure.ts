/** What is measured of a policy, exactly: all its trajectories are enumerated. */
import { leafIndex, type Pair, trajectoryLogProbs } from "./tree.ts";

/** A policy at some step. */
export interface Measures {
  /** Probability of the chosen trajectories together. */
  readonly chosen: number;
  /** Probability of the rejected trajectories together. */
  readonly rejected: number;
  /** Probability of all others, which are out of the data's distribution. */
  readonly ood: number;
  /** KL(policy ‖ initial policy) over trajectories, in nats. */
  readonly kl: number;
}

/**
 * Measures a policy.
 *
 * @param logProbs Of all edges, in the order of `edgesOf`; `initial` the same of the initial policy.
 */
export function measure(
  logProbs: { readonly policy: ArrayLike<number>; readonly initial: ArrayLike<number> },
  { pairs, depth }: { pairs: readonly Pair[]; depth: number },
): Measures {
  const policy = trajectoryLogProbs(logProbs.policy, depth);
  const initial = trajectoryLogProbs(logProbs.initial, depth);
  const probabilityOf = (side: keyof Pair) =>
    [...new Set(pairs.map((pair) => leafIndex(pair[side])))].reduce(
      (sum, leaf) => sum + Math.exp(policy[leaf]!),
      0,
    );
  const [chosen, rejected] = [probabilityOf("chosen"), probabilityOf("rejected")];
  const inData = new Set(pairs.flatMap(({ chosen, rejected }) => [leafIndex(chosen), leafIndex(rejected)]));
  let ood = 0, kl = 0;
  policy.forEach((logProb, leaf) => {
    if (!inData.has(leaf)) ood += Math.exp(logProb); // summed by itself: 1 − the rest would lose small masses
    kl += Math.exp(logProb) * (logProb - initial[leaf]!);
  });
  return { chosen, rejected, ood, kl };
}
