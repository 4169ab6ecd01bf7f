/** Has answers judged side by side by an endpoint. */
import { createChatClient } from "../../evaluation/judge/chat_client.ts";
import { judgeMatches, type Judgement, type Match } from "../../evaluation/judge/judge.ts";
import { DEFAULT_JUDGE_PROMPT, parseJudgePrompt, type WriteQuestion } from "../../evaluation/judge/prompt.ts";
import { openReplies } from "../../evaluation/judge/reply_file.ts";
import type { EvaluateConfig } from "../config.ts";
import { UserError } from "../errors.ts";

const OPENAI = "https://api.openai.com/v1";

/** A judge that is ready to be asked. */
export interface Judge {
  /** Its settings, every default filled in. */
  readonly settings: NonNullable<EvaluateConfig["judge"]> & { endpoint: string; replies: string };
  /** Writes its questions. */
  readonly write: WriteQuestion;
  /** What it is asked with; never shown. */
  readonly key: string | null;
}

/**
 * Reads what a judge needs, from the configuration and the environment.
 *
 * @throws {UserError} if its prompt can't be used or there is no key for OpenAI
 */
export async function prepareJudge(
  { judge, output }: Pick<EvaluateConfig, "output"> & { judge: NonNullable<EvaluateConfig["judge"]> },
): Promise<Judge> {
  const write = await readPrompt(judge.prompt);
  const endpoint = judge.endpoint ?? (Deno.env.get("OPENAI_BASE_URL") || OPENAI);
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    throw new UserError(`judge.endpoint: "${endpoint}" is no address; wanted one such as ${OPENAI}`);
  }
  const key = Deno.env.get(judge.keyEnv) || null;
  if (key === null && endpoint.startsWith(OPENAI)) {
    throw new UserError(
      `judge.key_env: ${judge.keyEnv} isn't set, and ${OPENAI} wants a key; put it into the environment`,
    );
  }
  const replies = judge.replies ?? `${output.file.replace(/\.json$/, "")}.judge.jsonl`;
  return { settings: { ...judge, endpoint, replies }, write, key };
}

async function readPrompt(path: string | null): Promise<WriteQuestion> {
  if (path === null) return parseJudgePrompt(DEFAULT_JUDGE_PROMPT, { name: "the default prompt" });
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new UserError(
      `judge.prompt: cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
  try {
    return parseJudgePrompt(text, { name: path });
  } catch (cause) {
    throw new UserError(`judge.prompt: ${(cause as Error).message}`, { cause });
  }
}

/** Asks about every match what isn't in the file of replies yet. */
export async function judgeAnswers(
  matches: readonly Match[],
  { settings, write, key }: Judge,
  { onProgress, onMessage }: {
    onProgress: (done: number, total: number) => void;
    onMessage: (message: string) => void;
  },
): Promise<Judgement[]> {
  const { concurrency, requestsPerMinute, timeout } = settings;
  const ask = createChatClient({ ...settings, key, requestsPerMinute, timeout: timeout * 1000, onMessage });
  const replies = await openReplies(settings.replies);
  try {
    return await judgeMatches(matches, { ask, write, chat: settings, replies, concurrency, onProgress });
  } finally {
    replies.close();
  }
}
