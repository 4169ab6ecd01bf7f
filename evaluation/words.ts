/** Texts as sequences of words, for the measures that count words. */

/** A text, or what it was split into already: words, or token ids. */
export type Words = string | readonly (string | number)[];

/**
 * Splits a text into words and single punctuation marks, in lower case.
 *
 * Letters, digits and the marks on them make a word, with apostrophes and hyphens inside. A script that is written without
 * spaces comes out as long words: pass the measures token ids instead.
 *
 * @example
 * ```ts
 * import { splitWords } from "@tr/align/evaluation";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(splitWords("Don't stop, ever!"), ["don't", "stop", ",", "ever", "!"]);
 * ```
 */
export function splitWords(text: string): string[] {
  return text.normalize("NFC").toLowerCase().match(
    /[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*|[^\s\p{L}\p{M}\p{N}]/gu,
  ) ?? [];
}

/** The words of a text as they are counted. */
export function wordsOf(text: Words): readonly (string | number)[] {
  return typeof text === "string" ? splitWords(text) : text;
}

/** Gives each word of some texts a number, so that sequences of words can be compared as short strings. */
export function createNgrams(): (words: readonly (string | number)[], n: number) => string[] {
  const numbers = new Map<string | number, number>();
  const numberOf = (word: string | number) => {
    const known = numbers.get(word) ?? numbers.size;
    numbers.set(word, known);
    return known;
  };
  return (words, n) => {
    const ids = words.map(numberOf);
    return Array.from({ length: Math.max(0, ids.length - n + 1) }, (_, i) => ids.slice(i, i + n).join());
  };
}

/** @throws RangeError if n is not an integer from 1. */
export function checkOrder(name: string, n: number): void {
  if (!Number.isInteger(n) || n < 1) {
    throw new RangeError(`${name}: n is ${n}; wanted an integer of 1 or more`);
  }
}
