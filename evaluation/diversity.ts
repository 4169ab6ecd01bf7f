/** How different a policy's texts are from each other. */
import { bleuOfCounts, type BleuSmoothing, countNgrams, type NgramCounts } from "./bleu.ts";
import { checkOrder, createNgrams, type Words, wordsOf } from "./words.ts";

/**
 * Returns the share of distinct n-grams among all n-grams of the texts: 1 if none occurs twice (distinct-n; Li et al.,
 * arXiv 1510.03055, section 5.2).
 *
 * It falls as texts get more or longer, so compare only equally many texts, of about the same lengths.
 *
 * @param options.n Words in an n-gram.
 * @throws RangeError if n is not an integer from 1, or no text has n words.
 * @example
 * ```ts
 * import { distinctN } from "@tr/align/evaluation";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(distinctN(["the cat sat", "the cat ran"], { n: 2 }), 3 / 4);
 * ```
 */
export function distinctN(texts: readonly Words[], { n }: { n: number }): number {
  checkOrder("distinctN", n);
  const ngrams = createNgrams();
  const all = texts.map((text) => ngrams(wordsOf(text), n));
  const total = all.reduce((sum, { length }) => sum + length, 0);
  if (total === 0) {
    throw new RangeError(
      `distinctN: none of ${texts.length} texts has ${n} words; pass longer texts or a smaller n`,
    );
  }
  return new Set(all.flat()).size / total;
}

/** Options of {@linkcode selfBleu}. */
export interface SelfBleuOptions {
  /** Words in the longest n-gram; 4 by default. */
  n?: number;
  /** What takes the place of a precision of zero; Chen and Cherry's by default, as in Texygen. */
  smoothing?: BleuSmoothing;
}

/**
 * Returns each text's BLEU with all others as references: 1 if it repeats another word for word, and near 0 if it shares
 * nothing with them. Their mean is Self-BLEU (Zhu et al., "Texygen", arXiv 1802.01886): the lower, the more diverse.
 *
 * BLEU is that of a sentence (Papineni et al., 2002): the geometric mean of the clipped precisions of 1 to n words, times
 * the brevity penalty for the reference nearest in length.
 *
 * @throws RangeError if there are fewer than two texts, or n is not an integer from 1.
 * @example
 * ```ts
 * import { mean, selfBleu } from "@tr/align/evaluation";
 * import { assert, assertAlmostEquals } from "@std/assert";
 *
 * const same = selfBleu(["the cat sat on the mat", "the cat sat on the mat"]);
 * assertAlmostEquals(mean(same), 1);
 * assert(mean(selfBleu(["the cat sat on the mat", "we saw two dogs in town"])) < 0.2);
 * ```
 */
export function selfBleu(
  texts: readonly Words[],
  { n = 4, smoothing = "chen-cherry" }: SelfBleuOptions = {},
): number[] {
  checkOrder("selfBleu", n);
  if (texts.length < 2) {
    throw new RangeError(
      `selfBleu: ${texts.length} texts; each is compared with the others, so pass at least two`,
    );
  }
  const ngrams = createNgrams();
  const lengths = texts.map((text) => wordsOf(text).length);
  const orders = Array.from(
    { length: n },
    (_, i) => texts.map((text) => countNgrams(ngrams(wordsOf(text), i + 1))),
  );
  const most = orders.map(mostOfOthers);
  return texts.map((_, i) => {
    const length = lengths[i]!;
    const matches = orders.map((counts, order) => {
      let clipped = 0;
      for (const [ngram, count] of counts[i]!) clipped += Math.min(count, most[order]!(ngram, i));
      return { matched: clipped, total: Math.max(0, length - order) };
    });
    return bleuOfCounts(matches, { length, referenceLength: nearestOther(lengths, i), smoothing });
  });
}

/** For each n-gram, how often it occurs at most in a text other than a given one. */
function mostOfOthers(texts: readonly NgramCounts[]): (ngram: string, text: number) => number {
  // The two texts with the most suffice: one of them is another one.
  const most = new Map<string, { count: number; text: number; second: number }>();
  texts.forEach((counts, text) => {
    for (const [ngram, count] of counts) {
      const known = most.get(ngram);
      if (known === undefined) most.set(ngram, { count, text, second: 0 });
      else if (count > known.count) most.set(ngram, { count, text, second: known.count });
      else known.second = Math.max(known.second, count);
    }
  });
  return (ngram, text) => {
    const known = most.get(ngram);
    if (known === undefined) return 0;
    return known.text === text ? known.second : known.count;
  };
}

/** The length nearest to that of text i among the others; the shorter one if two are as near. */
function nearestOther(lengths: readonly number[], i: number): number {
  const own = lengths[i]!;
  let nearest: number | undefined;
  lengths.forEach((length, other) => {
    if (other === i) return;
    const difference = nearest === undefined ? 1 : Math.abs(length - own) - Math.abs(nearest - own);
    if (difference < 0 || nearest === undefined || (difference === 0 && length < nearest)) nearest = length;
  });
  return nearest!;
}
