/** Answers by what a scoring function or a reward model gives them. */
import { estimate, estimateDifference } from "./estimate.ts";
import type { Measures } from "./preferences.ts";
import { type BootstrapOptions, mean } from "./statistics.ts";
import { winRate } from "./win_rate.ts";

/** Scores of a policy's answers, and of its opponent's to the same prompts. */
export interface Scores {
  /** Of each prompt, its answers' scores. */
  readonly own: readonly (readonly number[])[];
  /** The opponent's; null if there is none. */
  readonly other: readonly (readonly number[])[] | null;
}

/**
 * Measures scores: `score`, and with an opponent `opponent_score`, `difference` and `win_rate`, prompt by prompt; several
 * answers to one prompt count as their mean.
 *
 * @param options.tie The largest difference that counts as a tie; 0 by default.
 * @throws RangeError if there are no scores, or one isn't a number.
 */
export function measureScores(
  { own, other }: Scores,
  { tie = 0, ...bootstrap }: BootstrapOptions & { tie?: number } = {},
): Measures {
  const means = own.map(mean);
  if (other === null) return { score: estimate(means, bootstrap) };
  const others = other.map(mean);
  return {
    score: estimate(means, bootstrap),
    opponent_score: estimate(others, bootstrap),
    difference: estimateDifference(means, others, bootstrap),
    win_rate: winRate(means, others, { tie, ...bootstrap }),
  };
}
