/** What a policy's answers are like as texts. */
import type { Words } from "./words.ts";
import { wordsOf } from "./words.ts";
import { estimateDistinctN, selfBleu } from "./diversity.ts";
import { type Estimate, estimate } from "./estimate.ts";
import { describeLengths, type LengthUnit } from "./length.ts";
import type { Measures } from "./preferences.ts";
import { longestRun, repeatedShare } from "./repetition.ts";
import { type BootstrapOptions, mean } from "./statistics.ts";

/** An answer. */
export interface Answer {
  /** Its text. */
  readonly text: string;
  /** Its tokens; absent where only the text is known. */
  readonly tokens?: number;
  /** Whether it ended by itself and not at the longest length; absent where that isn't known. */
  readonly ended?: boolean;
}

const DISTINCT_ORDERS = [1, 2, 3];
const REPETITION_ORDER = 4;

/**
 * Measures answers: `length/tokens`, `length/words`, `ended` (the share that ended by themselves), `repetition_4`
 * ({@linkcode repeatedShare}), `longest_run` ({@linkcode longestRun}), `distinct_1` to `distinct_3`
 * ({@linkcode distinctN}) and `self_bleu` ({@linkcode selfBleu}).
 *
 * What texts are too few or too short for is left out.
 *
 * @param answers Of each prompt, which are resampled together.
 * @throws RangeError if there are no answers.
 */
export function measureAnswers(
  answers: readonly (readonly Answer[])[],
  bootstrap: BootstrapOptions = {},
): Measures {
  const split = answers.map((ofPrompt) => ofPrompt.map(({ text }) => wordsOf(text)));
  const all: Words[] = split.flat();
  const perPrompt = (of: (answer: Answer, words: readonly (string | number)[]) => number) =>
    answers.map((ofPrompt, i) => mean(ofPrompt.map((answer, k) => of(answer, split[i]![k]!))));
  const lengths = (unit: LengthUnit, of: Parameters<typeof perPrompt>[0]) =>
    describeLengths(perPrompt(of), { ...bootstrap, unit });
  const known = <K extends "tokens" | "ended">(key: K) =>
    answers.flat().every((answer) => answer[key] !== undefined);
  const longest = Math.max(...all.map(({ length }) => length));
  const distinct = DISTINCT_ORDERS.filter((n) => n <= longest).map((n): [string, Estimate] => [
    `distinct_${n}`,
    estimateDistinctN(all, { ...bootstrap, n }),
  ]);
  return {
    ...(known("tokens") ? { "length/tokens": lengths("tokens", ({ tokens }) => tokens!) } : {}),
    "length/words": lengths("words", (_, words) => words.length),
    ...(known("ended") ? { ended: estimate(perPrompt(({ ended }) => ended ? 1 : 0), bootstrap) } : {}),
    [`repetition_${REPETITION_ORDER}`]: estimate(
      perPrompt((_, words) => repeatedShare(words, { n: REPETITION_ORDER })),
      bootstrap,
    ),
    longest_run: estimate(perPrompt((_, words) => longestRun(words)), bootstrap),
    ...Object.fromEntries(distinct),
    ...(all.length > 1 ? { self_bleu: estimate(selfBleu(all), bootstrap) } : {}),
  };
}
