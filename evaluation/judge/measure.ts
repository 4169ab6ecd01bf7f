/** What judgements come to. */
import { estimate } from "../estimate.ts";
import type { Measures } from "../preferences.ts";
import type { BootstrapOptions } from "../statistics.ts";
import { countOutcomes, type Outcome } from "../win_rate.ts";
import type { Judgement, Match } from "./judge.ts";
import { lengthControlledWinRate } from "./length_control.ts";

/** Judged answers as numbers. */
export interface JudgeMeasures {
  /** By name; empty if no verdict could be read. */
  readonly measures: Measures;
  /** Matches without an outcome because a verdict can't be read, by index. */
  readonly malformed: readonly number[];
}

/**
 * Measures judgements: `win_rate` (ties count one half), `length_controlled_win_rate`
 * ({@linkcode lengthControlledWinRate}), `consistency` (the share of matches in which both orders say the same) and
 * `first_preferred` (the share of all decided verdicts for the answer that came first, which a judge without a bias gives
 * one half). Matches whose verdicts can't be read are left out and listed.
 */
export function measureJudgements(
  judgements: readonly Judgement[],
  matches: readonly Match[],
  bootstrap: BootstrapOptions = {},
): JudgeMeasures {
  const malformed = judgements.flatMap(({ outcome }, i) => outcome === null ? [i] : []);
  const read = judgements.flatMap(({ outcome, orders }, i) =>
    outcome === null ? [] : [{ outcome, orders: orders as [Outcome, Outcome], ...matches[i]! }]
  );
  if (read.length === 0) return { measures: {}, malformed };
  const decided = read.flatMap(({ orders: [first, second] }) => [
    ...(first === 0.5 ? [] : [first]),
    ...(second === 0.5 ? [] : [1 - second]),
  ]);
  return {
    measures: {
      win_rate: countOutcomes(read.map(({ outcome }) => outcome), bootstrap),
      length_controlled_win_rate: lengthControlledWinRate(
        read.map(({ outcome, answer, other }) => ({
          outcome,
          difference: [...answer].length - [...other].length,
        })),
        bootstrap,
      ),
      consistency: estimate(read.map(({ orders: [first, second] }) => first === second ? 1 : 0), bootstrap),
      ...(decided.length === 0 ? {} : { first_preferred: estimate(decided, bootstrap) }),
    },
    malformed,
  };
}
