/** BLEU of a sentence from its counts (Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", 2002). */

/**
 * What is done about precisions of zero, after those who proposed it: `chen-cherry` counts a tenth of a match where there
 * is none (Chen and Cherry, "A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU", 2014, method 1);
 * `lin-och` adds one to matches and n-grams of two words and more (Lin and Och, 2004; their method 2); `none` leaves a
 * BLEU of 0.
 */
export type BleuSmoothing = "chen-cherry" | "lin-och" | "none";

/** How often each n-gram occurs in a text. */
export type NgramCounts = ReadonlyMap<string, number>;

const EPSILON = 0.1;

/** Counts n-grams. */
export function countNgrams(ngrams: readonly string[]): NgramCounts {
  const counts = new Map<string, number>();
  for (const ngram of ngrams) counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  return counts;
}

/**
 * BLEU from the matches of each order, beginning with single words.
 *
 * @param matches.matched n-grams that a reference has too, clipped to how often it has them.
 * @param options.referenceLength Words of the reference that is nearest in length.
 */
export function bleuOfCounts(
  matches: readonly { readonly matched: number; readonly total: number }[],
  { length, referenceLength, smoothing }: {
    length: number;
    referenceLength: number;
    smoothing: BleuSmoothing;
  },
): number {
  // Without a word in common there is nothing to smooth.
  if (length === 0 || matches[0]!.matched === 0) return 0;
  let logs = 0;
  matches.forEach(({ matched, total }, order) => {
    // A text shorter than n words counts as one n-gram that is missed.
    const count = Math.max(1, total);
    if (smoothing === "lin-och" && order > 0) logs += Math.log((matched + 1) / (count + 1));
    else logs += Math.log((matched === 0 && smoothing === "chen-cherry" ? EPSILON : matched) / count);
  });
  const brevity = Math.min(0, 1 - referenceLength / length);
  return Math.exp(brevity + logs / matches.length);
}
