/** How long the parts of an example may be, in tokens. */
export interface LengthLimits {
  /** The most tokens of prompt and completion together, at least 2; no limit when not given. */
  maxLength?: number;
  /** The most tokens of the prompt, at least 1; when not given, only `maxLength` limits it. */
  maxPromptLength?: number;
}

/** How many tokens of each part to keep. */
export interface FittedLengths {
  /** Tokens of the prompt. */
  prompt: number;
  /** Tokens of each completion, in the order given. */
  completions: number[];
}

/**
 * Decides how many tokens a prompt and the completions that share it may keep.
 *
 * The prompt is cut to `maxPromptLength`. Where it and the longest completion still exceed `maxLength`, the
 * prompt gives way first, down to half of `maxLength`; then completions are cut. Neither ever falls to zero.
 *
 * @param lengths token counts, each at least 1
 * @throws {Error} if `maxLength` is below 2, `maxPromptLength` below 1, or either isn't an integer
 *
 * @example
 * ```ts
 * import { fitLengths } from "@tr/align/data";
 * import { assertEquals } from "@std/assert";
 *
 * const lengths = { prompt: 10, completions: [4, 7] };
 * assertEquals(fitLengths(lengths, { maxLength: 16 }), { prompt: 9, completions: [4, 7] });
 * assertEquals(fitLengths(lengths, { maxLength: 8 }), { prompt: 4, completions: [4, 4] });
 * ```
 */
export function fitLengths(lengths: FittedLengths, limits: LengthLimits): FittedLengths {
  const { maxLength = Infinity, maxPromptLength = Infinity } = limits;
  requireLimit("maxLength", maxLength, 2);
  requireLimit("maxPromptLength", maxPromptLength, 1);
  const longest = Math.max(...lengths.completions);
  const wanted = Math.min(lengths.prompt, maxPromptLength);
  const room = Math.max(maxLength - longest, Math.floor(maxLength / 2));
  const prompt = Math.min(wanted, room);
  return { prompt, completions: lengths.completions.map((length) => Math.min(length, maxLength - prompt)) };
}

function requireLimit(name: string, value: number, least: number): void {
  if (value === Infinity || (Number.isInteger(value) && value >= least)) return;
  throw new Error(`${name} is ${value}; wanted an integer of at least ${least}`);
}

/** Which end of a prompt survives the cut. */
export type PromptTruncation = "keep_start" | "keep_end";

/** Cuts a prompt to `length` tokens; with `keep_end`, a BOS at its front stays if two or more tokens remain. */
export function cutPrompt(
  prompt: Int32Array,
  { length, truncate, bosId }: { length: number; truncate: PromptTruncation; bosId: number | null },
): Int32Array {
  if (prompt.length <= length) return prompt;
  if (truncate === "keep_start") return prompt.slice(0, length);
  const kept = prompt.slice(prompt.length - length);
  if (length > 1 && prompt[0] === bosId) kept[0] = prompt[0]!;
  return kept;
}
