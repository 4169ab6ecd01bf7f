/** A client of any endpoint that answers chats as OpenAI's does. */
import { type Clock, createPace, systemClock } from "./pace.ts";

/** How an endpoint is reached and asked. */
export interface ChatOptions {
  /** Address before `/chat/completions`, such as `https://api.openai.com/v1`. */
  readonly endpoint: string;
  /** The key that goes into the `Authorization` header; null for none. It is never in a message. */
  readonly key: string | null;
  /** The model's name there. */
  readonly model: string;
  /** The longest reply in tokens; null leaves it to the endpoint. */
  readonly maxTokens: number | null;
  /** Requests that may begin in a minute; null for no limit. */
  readonly requestsPerMinute: number | null;
  /** Milliseconds that one answer may take; default 120,000. */
  readonly timeout?: number;
  /** How often one question is asked before it is given up; default 6. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt, doubled before each further one; default 1000. */
  readonly backOff?: number;
  /** The time; the machine's by default. */
  readonly clock?: Clock;
  /** Told of waits that are long enough to wonder about. */
  readonly onMessage?: (message: string) => void;
}

/** Asks one question, at temperature 0, and returns the reply's text. */
export type Ask = (question: string) => Promise<string>;

/** Statuses after which the same request may succeed. */
const PASSING_STATUSES = [408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529];
/** A limit that lasts longer is one of a day or of money. */
const LONGEST_WAIT = 10 * 60_000;
const NOTICED_WAIT = 5_000;
const SHOWN_CHARACTERS = 200;

/** A failure that may pass. */
class PassingError extends Error {
  constructor(message: string, readonly retryAfter: number | null = null) {
    super(message);
  }
}

/** What is sent for a question; what of it decides the reply names the reply in a cache. */
export function chatBody(question: string, { model, maxTokens }: Pick<ChatOptions, "model" | "maxTokens">) {
  return {
    model,
    messages: [{ role: "user", content: question }],
    temperature: 0,
    ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
  };
}

/**
 * Makes a client. Rate limits, failures of the server, and answers that are cut, too slow or no chat at all are asked for
 * again; `Retry-After` is honoured by all requests.
 *
 * The returned function throws an error that names the endpoint and what it said, if it refuses or goes on failing.
 */
export function createChatClient(options: ChatOptions): Ask {
  const { key, timeout = 120_000, attempts = 6, backOff = 1000, clock = systemClock, onMessage } = options;
  const url = `${options.endpoint.replace(/\/+$/, "")}/chat/completions`;
  const pace = createPace({ perMinute: options.requestsPerMinute, clock });
  return async (question) => {
    for (let attempt = 1;; attempt++) {
      await pace.turn();
      try {
        return await send(question);
      } catch (error) {
        if (!(error instanceof PassingError)) throw error;
        const wait = error.retryAfter ?? backOff * 2 ** (attempt - 1);
        if (attempt === attempts || wait > LONGEST_WAIT) {
          const times = attempt === 1 ? "" : ` after ${attempt} attempts`;
          throw new Error(
            `${url}: ${error.message}${times}; the replies up to here are kept, so start again later`,
          );
        }
        if (wait >= NOTICED_WAIT) {
          onMessage?.(`${url}: ${error.message}; trying again in ${Math.round(wait / 1000)} s`);
        }
        // What limits one request limits all.
        if (error.retryAfter !== null) pace.pause(wait);
        else await clock.sleep(wait);
      }
    }
  };

  async function send(question: string): Promise<string> {
    const signal = AbortSignal.timeout(timeout);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "User-Agent": "tr-align",
          ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify(chatBody(question, options)),
        signal,
      });
      text = await response.text();
    } catch (error) {
      if (signal.aborted) throw new PassingError(`no answer within ${timeout / 1000} s`);
      throw new PassingError(`can't be reached (${hide(reasonOf(error))})`);
    }
    if (!response.ok) throw refusal(response, text);
    return contentOf(text);
  }

  function refusal({ status, headers }: Response, text: string): Error {
    const said = hide(messageOf(text));
    const answer = `answered ${status}${said === "" ? "" : ` (${said})`}`;
    // Money that has run out is announced as a rate limit, and doesn't come back by itself.
    if (PASSING_STATUSES.includes(status) && !/insufficient_quota/.test(text)) {
      return new PassingError(answer, retryAfter(headers, clock.now()));
    }
    const hint = status === 401 || status === 403
      ? key === null ? "; it wants a key" : "; check the key"
      : status === 404
      ? "; check the endpoint's address and the model's name"
      : "";
    return new Error(`${url}: ${answer}${hint}`);
  }

  /** Some endpoints repeat the key that they refuse. */
  function hide(text: string): string {
    return key === null ? text : text.replaceAll(key, "…");
  }
}

function contentOf(text: string): string {
  let reply: { choices?: { message?: { content?: unknown } }[] } | null;
  try {
    reply = JSON.parse(text);
  } catch {
    throw new PassingError("the answer is no JSON");
  }
  const message = reply?.choices?.[0]?.message;
  if (typeof message !== "object" || message === null) throw new PassingError("the answer holds no message");
  // A model that used up its tokens before it said anything has null here.
  return typeof message.content === "string" ? message.content : "";
}

function messageOf(text: string): string {
  try {
    const { error, message } = JSON.parse(text) as {
      error?: { message?: unknown } | string;
      message?: unknown;
    };
    const said = typeof error === "object" ? error?.message : error ?? message;
    if (typeof said === "string") return said.slice(0, SHOWN_CHARACTERS);
  } catch {
    // Not every server in between speaks JSON.
  }
  return text.replace(/\s+/g, " ").trim().slice(0, SHOWN_CHARACTERS);
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^error sending request for url \(.*?\): (client error \(\w+\): )?/, "");
}

/** Seconds or a date. */
function retryAfter(headers: Headers, now: number): number | null {
  const value = headers.get("Retry-After");
  if (value === null) return null;
  const milliseconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : null;
}
