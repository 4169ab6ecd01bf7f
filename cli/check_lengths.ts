/** Records against what a model can read. */
import { describeRecords } from "../training/checks.ts";
import { type Examples, sizesOf } from "../training/examples.ts";
import { longestSequence } from "../training/plan.ts";

/**
 * Makes sure that a model can read records: unlike training, commands that only read take any max_length, as long as the
 * records themselves fit.
 *
 * @throws If one is too long; the message names it.
 */
export function checkLengths(
  examples: Examples,
  { path, maxPositions }: { path: string; maxPositions: number },
): void {
  for (let i = 0; i < examples.length; i++) {
    const length = longestSequence([sizesOf(examples, i)]);
    if (length <= maxPositions) continue;
    throw new Error(
      `${
        describeRecords([examples.at(i)!])
      } has ${length} tokens, but ${path} reads at most ${maxPositions} ` +
        `(max_position_embeddings); set data.max_length to cut it`,
    );
  }
}
