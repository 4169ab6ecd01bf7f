/** How often one of two policies is better. */
import { type Estimate, estimate } from "./estimate.ts";
import type { BootstrapOptions } from "./statistics.ts";

/** The share of prompts that a policy wins, a tie counting one half, and how it comes about. */
export interface WinRate extends Estimate {
  /** Prompts on which it does better than the other. */
  wins: number;
  /** Prompts on which neither does. */
  ties: number;
  /** Prompts on which it does worse. */
  losses: number;
}

/**
 * Compares two policies' scores, such as those of a reward model, prompt by prompt.
 *
 * @param scores Of the policy, one a prompt.
 * @param others Of its opponent, on the same prompts.
 * @param options.tie The largest difference that counts as a tie; 0 by default.
 * @throws RangeError if there are no scores, not equally many of both, or one isn't a number.
 * @example
 * ```ts
 * import { winRate } from "@tr/align/evaluation";
 * import { assertEquals } from "@std/assert";
 *
 * const { mean, wins, ties, losses } = winRate([0.9, 0.5, 0.2, 0.7], [0.1, 0.5, 0.3, 0.6]);
 * assertEquals([mean, wins, ties, losses], [0.625, 2, 1, 1]);
 * ```
 */
export function winRate(
  scores: readonly number[],
  others: readonly number[],
  { tie = 0, ...bootstrap }: BootstrapOptions & { tie?: number } = {},
): WinRate {
  if (scores.length !== others.length) {
    throw new RangeError(
      `winRate: ${scores.length} and ${others.length} scores; wanted one of each a prompt`,
    );
  }
  const strange = [...scores, ...others].find((score) => Number.isNaN(score));
  if (strange !== undefined) throw new RangeError("winRate: a score is NaN; wanted numbers");
  return countOutcomes(
    scores.map((score, i) => {
      const other = others[i]!;
      // Infinite scores have no difference but can be equal.
      if (score === other || Math.abs(score - other) <= tie) return 0.5;
      return score > other ? 1 : 0;
    }),
    bootstrap,
  );
}

/** What a comparison came to: a win, a tie or a loss. */
export type Outcome = 1 | 0.5 | 0;

/** The win rate of outcomes. */
export function countOutcomes(outcomes: readonly Outcome[], bootstrap: BootstrapOptions = {}): WinRate {
  const count = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
  return { ...estimate(outcomes, bootstrap), wins: count(1), ties: count(0.5), losses: count(0) };
}
