/** Side-by-side judging: a language model says which of two answers is better, asked in both orders. */
import type { Outcome } from "../win_rate.ts";
import { type Ask, chatBody, type ChatOptions } from "./chat_client.ts";
import { eachOf } from "./pace.ts";
import { parseVerdict, type Verdict, type WriteQuestion } from "./prompt.ts";
import type { ReplyFile } from "./reply_file.ts";

/** Two answers to a prompt. */
export interface Match {
  /** What both answer, as text. */
  readonly prompt: string;
  /** The policy's answer. */
  readonly answer: string;
  /** Its opponent's. */
  readonly other: string;
}

/** What the judge made of two answers. */
export interface Judgement {
  /** For the policy; a tie if the two orders disagree; null if a verdict can't be read. */
  readonly outcome: Outcome | null;
  /** The outcome with the policy's answer first, and with it second; null for what can't be read. */
  readonly orders: readonly [Outcome | null, Outcome | null];
  /** The replies in the same order. */
  readonly replies: readonly [string, string];
}

/** Options of {@linkcode judgeMatches}. */
export interface JudgeOptions {
  /** Asks the judge. */
  readonly ask: Ask;
  /** Writes what it is asked. */
  readonly write: WriteQuestion;
  /** What names a reply beside the question: where and which the judge is. */
  readonly chat: Pick<ChatOptions, "endpoint" | "model" | "maxTokens">;
  /** Replies that are there already, to which new ones are added. */
  readonly replies: ReplyFile;
  /** Questions that are under way at a time. */
  readonly concurrency: number;
  /** Called after each question with how many are answered, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Has each match judged in both orders, because judges favour a position (Zheng et al., arXiv 2306.05685, section 3.3).
 *
 * Two equal answers are a tie that nobody is asked about. Replies are kept as they come: after a failure, the same call asks
 * only what is missing.
 *
 * @throws As `ask` does, once the questions under way have been answered.
 */
export async function judgeMatches(matches: readonly Match[], options: JudgeOptions): Promise<Judgement[]> {
  const { ask, write, chat, replies, concurrency, onProgress } = options;
  const questions = matches.flatMap(({ prompt, answer, other }) =>
    answer === other ? [] : [
      write({ prompt, answerA: answer, answerB: other }),
      write({ prompt, answerA: other, answerB: answer }),
    ]
  );
  const distinct = [...new Set(questions)];
  const known = new Map<string, string>();
  let done = 0;
  await eachOf(distinct, {
    concurrency,
    async work(question) {
      const request = { endpoint: chat.endpoint, ...chatBody(question, chat) };
      let reply = await replies.find(request);
      if (reply === undefined) {
        reply = await ask(question);
        await replies.add(request, reply);
      }
      known.set(question, reply);
      onProgress?.(++done, distinct.length);
    },
  });
  let next = 0;
  return matches.map(({ answer, other }) => {
    if (answer === other) return { outcome: 0.5, orders: [0.5, 0.5], replies: ["", ""] };
    const [first, second] = [known.get(questions[next++]!)!, known.get(questions[next++]!)!];
    const orders = [outcomeFor("A", parseVerdict(first)), outcomeFor("B", parseVerdict(second))] as const;
    return { outcome: join(orders), orders, replies: [first, second] };
  });
}

function outcomeFor(own: Verdict, verdict: Verdict | null): Outcome | null {
  return verdict === null ? null : verdict === "tie" ? 0.5 : verdict === own ? 1 : 0;
}

function join([first, second]: readonly [Outcome | null, Outcome | null]): Outcome | null {
  if (first === null || second === null) return null;
  return first === second ? first : 0.5;
}
