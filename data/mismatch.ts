import type { TokenizedCompletion } from "./tokenize.ts";
import { cutPrompt, fitLengths, type LengthLimits, type PromptTruncation } from "./truncate.ts";

/** How the new pairings are kept within length, as when they were tokenized. */
export interface MismatchOptions extends LengthLimits {
  /** Which end of a prompt that is too long survives; default `keep_end`. */
  truncate?: PromptTruncation;
  /** The tokenizer's BOS, which `keep_end` leaves at the front. */
  bosId?: number | null;
}

/**
 * Pairs each prompt of a batch with another record's completion, for KTO's estimate of the KL divergence
 * (arXiv 2402.01306, section 4.1): prompt *i* with completion *i* − 1 mod *n*.
 *
 * @param examples a batch of at least two
 * @param options the limits that the examples were tokenized with; a new pairing can exceed them
 * @returns examples without labels, in the order of the prompts and with their lines
 * @throws {Error} if there are fewer than two examples
 *
 * @example
 * ```ts
 * import { mismatchCompletions } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const batch = [1, 2, 3].map((n) => ({ line: n, prompt: Int32Array.of(n), completion: Int32Array.of(10 * n) }));
 * assertEquals(mismatchCompletions(batch).map(({ completion }) => completion[0]), [30, 10, 20]);
 * ```
 */
export function mismatchCompletions(
  examples: readonly TokenizedCompletion[],
  { truncate = "keep_end", bosId = null, ...limits }: MismatchOptions = {},
): TokenizedCompletion[] {
  const n = requireMismatch(examples.length);
  return examples.map(({ line, prompt }, index) => {
    const { completion } = examples[(index + n - 1) % n]!;
    const kept = fitLengths({ prompt: prompt.length, completions: [completion.length] }, limits);
    return {
      line,
      prompt: cutPrompt(prompt, { length: kept.prompt, truncate, bosId }),
      completion: completion.slice(0, kept.completions[0]),
    };
  });
}

/** Requires a batch in which a prompt can have another record's completion; returns its size. */
export function requireMismatch(n: number): number {
  if (n >= 2) return n;
  throw new Error(
    `A batch of ${n} has no mismatched completion, which KTO's KL estimate needs; use a batch size of 2 or more`,
  );
}
