/** A share of the records that is held out of training. */
import { hashTokens } from "../data/hash_tokens.ts";
import { createRandom } from "../data/random.ts";
import type { TokenizedRecord } from "../data/token_store.ts";
import type { Examples } from "./examples.ts";

/**
 * Chooses the records to hold out, at random by the seed.
 *
 * Records with the same prompt stay together, for what is learned from one of them would show on the others:
 * each prompt gets a random number from the seed and its tokens, and the lowest are held out until the share
 * is reached. Where a prompt is at most one token, as of demonstrations of plain text, the completions count
 * as well. The choice depends neither on the order of the records nor on the files that they are in.
 *
 * @param options.share How many of all records, above 0 and below 1.
 * @returns The indices to train on, and those held out.
 * @throws If nothing is left on one side.
 */
export function holdOut(
  records: Examples<TokenizedRecord>,
  { share, seed }: { share: number; seed: number },
): [Uint32Array, Uint32Array] {
  const { state } = createRandom(seed, { stream: -1 });
  const numbers = new Float64Array(records.length);
  let i = 0;
  for (const record of records) {
    const { prompt } = record;
    const completions = "chosen" in record ? [record.chosen, record.rejected] : [record.completion];
    const parts = prompt.length > 1 ? [prompt] : [prompt, ...completions];
    numbers[i++] = hashTokens(parts, state);
  }
  const count = Math.max(1, Math.round(share * numbers.length));
  const highest = numbers.toSorted()[count - 1]!;
  const all = Uint32Array.from(numbers, (_, index) => index);
  const held = all.filter((index) => numbers[index]! <= highest);
  if (held.length === numbers.length) {
    throw new Error(
      `data.eval ${share} would hold out all ${numbers.length} records, because they have ` +
        `${
          numbers.length === 1 ? "one" : "too few different"
        } prompts; name a file of held-out records instead`,
    );
  }
  return [all.filter((index) => numbers[index]! > highest), held];
}
