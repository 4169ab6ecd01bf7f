import { type RecordSource, refuseRecord } from "./fields.ts";

/** A pair of texts split into the prompt that they share and the rest of each. */
export interface SplitPair {
  /** What both texts start with. */
  prompt: string;
  /** What follows the prompt in the preferred text. */
  chosen: string;
  /** What follows the prompt in the dispreferred text. */
  rejected: string;
}

const HUMAN = "\n\nHuman:";
const ASSISTANT = "\n\nAssistant:";

/**
 * Splits two full texts into their shared prompt and two completions.
 *
 * Transcripts in the style of Anthropic's HH data (`"\n\nHuman: …\n\nAssistant: …"`) are split after the last
 * `"\n\nAssistant:"`; what precedes must be the same in both. Other texts are split where they start to
 * differ, moved back so that no word is cut: a space goes with the word after it, a line break with the line
 * before it. Words with which both completions happen to start then count as prompt; give `prompt` to
 * avoid that.
 *
 * @throws {RecordError} if the transcripts differ before their last assistant turn, or end with a human turn
 */
export function splitSharedPrompt(chosen: string, rejected: string, source: RecordSource): SplitPair {
  return isTranscriptPair(chosen, rejected)
    ? splitTranscripts(chosen, rejected, source)
    : splitAtDifference(chosen, rejected);
}

/** Whether both texts are transcripts in the style of Anthropic's HH data. */
export function isTranscriptPair(chosen: string, rejected: string): boolean {
  return [chosen, rejected].every((text) => text.startsWith(HUMAN) && text.includes(ASSISTANT));
}

function splitTranscripts(chosen: string, rejected: string, source: RecordSource): SplitPair {
  const end = chosen.lastIndexOf(ASSISTANT) + ASSISTANT.length;
  const prompt = chosen.slice(0, end);
  if (rejected.lastIndexOf(ASSISTANT) + ASSISTANT.length !== end || !rejected.startsWith(prompt)) {
    refuseRecord(
      source,
      `"chosen" and "rejected" differ before their last assistant turn, so they share no prompt; ` +
        `correct the record, remove it, or skip such records (invalid: "skip")`,
    );
  }
  for (const [key, text] of [["chosen", chosen], ["rejected", rejected]] as const) {
    if (text.includes(HUMAN, end)) {
      refuseRecord(
        source,
        `"${key}" ends with a human turn; wanted a transcript that ends with an assistant turn`,
      );
    }
  }
  return { prompt, chosen: chosen.slice(end), rejected: rejected.slice(end) };
}

function splitAtDifference(chosen: string, rejected: string): SplitPair {
  const shorter = Math.min(chosen.length, rejected.length);
  let common = 0;
  while (common < shorter && chosen[common] === rejected[common]) common++;

  let end = Math.min(common, shorter - 1);
  while (end > 0 && !isWordBoundary(end)) end--;
  end = Math.max(end, 0);
  return { prompt: chosen.slice(0, end), chosen: chosen.slice(end), rejected: rejected.slice(end) };

  function isWordBoundary(position: number): boolean {
    const spaceFollows = position < common && chosen[position] === " ";
    return spaceFollows || /[\n\r\t]/.test(chosen[position - 1]!);
  }
}
