/** What a judge is asked, and what its reply says. */
import defaultPrompt from "./default_prompt.txt" with { type: "text" };

/** The prompt that a judge is given unless the user has another. */
export const DEFAULT_JUDGE_PROMPT: string = defaultPrompt;

const PLACES = ["prompt", "answer_a", "answer_b"] as const;
const PLACE = /\{\{\s*(\w+)\s*\}\}/g;

/** What is put into a judge's prompt. */
export interface Question {
  /** What both answers are to, as text. */
  readonly prompt: string;
  /** The answer that comes first. */
  readonly answerA: string;
  /** The answer that comes second. */
  readonly answerB: string;
}

/** Writes a judge's question. */
export type WriteQuestion = (question: Question) => string;

/**
 * Reads a judge's prompt: text in which `{{prompt}}`, `{{answer_a}}` and `{{answer_b}}` stand for what is compared.
 *
 * @param options.name What messages call it.
 * @throws If one of the three is missing, or there is another.
 */
export function parseJudgePrompt(text: string, { name }: { name: string }): WriteQuestion {
  const found = [...text.matchAll(PLACE)].map(([, place]) => place!);
  const unknown = found.find((place) => !(PLACES as readonly string[]).includes(place));
  if (unknown !== undefined) {
    throw new Error(
      `${name}: {{${unknown}}} is nothing that a judge is given; write {{prompt}}, {{answer_a}} and {{answer_b}}`,
    );
  }
  const missing = PLACES.find((place) => !found.includes(place));
  if (missing !== undefined) {
    throw new Error(`${name}: {{${missing}}} is missing; the judge would not see it`);
  }
  return ({ prompt, answerA, answerB }) => {
    const values: Record<string, string> = { prompt, answer_a: answerA, answer_b: answerB };
    // In one pass: an answer may hold such a place itself.
    return text.replace(PLACE, (_, place: string) => values[place]!);
  };
}

/** Which of the two answers a judge prefers. */
export type Verdict = "A" | "B" | "tie";

/**
 * Reads the verdict of a reply: its last line that says `Verdict: A`, `Verdict: B` or `Verdict: tie`, whatever marks of
 * emphasis or brackets are around it.
 *
 * @returns null if there is none.
 */
export function parseVerdict(reply: string): Verdict | null {
  const verdicts = reply.matchAll(/^[^\p{L}\p{N}]*verdict[^\p{L}\p{N}]*(A|B|tie)[^\p{L}\p{N}]*$/gimu);
  const last = [...verdicts].at(-1)?.[1]?.toLowerCase();
  return last === undefined ? null : last === "tie" ? "tie" : last === "a" ? "A" : "B";
}
