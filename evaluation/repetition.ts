/** How much a text repeats itself. */
import { checkOrder, createNgrams, type Words, wordsOf } from "./words.ts";

/**
 * Returns the share of a text's n-grams that repeat an earlier one: seq-rep-n of Welleck et al., "Neural Text Generation
 * with Unlikelihood Training" (arXiv 1908.04319, equation 10).
 *
 * @param options.n Words in an n-gram; 4 by default.
 * @returns 1 − distinct n-grams / n-grams; 0 for a text of fewer than n words.
 * @throws RangeError if n is not an integer from 1.
 * @example
 * ```ts
 * import { repeatedShare } from "@tr/align/evaluation";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(repeatedShare("to be or not to be or", { n: 2 }), 1 / 3);
 * ```
 */
export function repeatedShare(text: Words, { n = 4 }: { n?: number } = {}): number {
  checkOrder("repeatedShare", n);
  const ngrams = createNgrams()(wordsOf(text), n);
  return ngrams.length === 0 ? 0 : (ngrams.length - new Set(ngrams).size) / ngrams.length;
}

/**
 * Returns the length in words of a text's longest run: the longest stretch in which one phrase of any length follows upon
 * itself, at least twice in a row; 0 if there is none.
 *
 * Models that have lost their way end in such loops.
 *
 * @example
 * ```ts
 * import { longestRun } from "@tr/align/evaluation";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(longestRun("and so on and so on and so it goes"), 8); // "and so on and so on and so"
 * assertEquals(longestRun("it goes on"), 0);
 * ```
 */
export function longestRun(text: Words): number {
  const words = wordsOf(text);
  let longest = 0;
  for (let period = 1; 2 * period <= words.length; period++) {
    let repeated = 0; // words that equal the one a period before, up to here
    for (let i = period; i < words.length; i++) {
      repeated = words[i] === words[i - period] ? repeated + 1 : 0;
      if (repeated >= period) longest = Math.max(longest, repeated + period);
    }
  }
  return longest;
}
