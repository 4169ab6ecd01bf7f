/**
 * Requests to the hub: the token, time limits, and repetition of what failed in passing.
 *
 * @module
 */
import { HubError, messageOf } from "./errors.ts";
import type { HubSettings } from "./settings.ts";

/** What happens while files are fetched. */
export type HubEvent =
  /** Something that the user should know: a repetition, a wait, the use of the cache alone. */
  | { readonly type: "message"; readonly text: string }
  /** Bytes of the files of one repository, those that were there before included. */
  | { readonly type: "progress"; readonly received: number; readonly total: number };

/** What every step of a download needs. */
export interface HubContext {
  /** How the hub is reached. */
  readonly settings: HubSettings;
  /** Receives what happens. */
  readonly onEvent: (event: HubEvent) => void;
}

const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504];
const SILENT_RETRIES = 2;
const LONGEST_WAIT = 10 * 60_000; // the hub's rate limits are over after five minutes

/**
 * Sends one request, following redirections, and waits for its headers.
 *
 * The token goes to the hub's own origin only; `fetch` drops it where a redirection leaves that.
 *
 * @throws {HubError} for anything but success: `unreachable` if it may pass, else `missing`, `denied` or `unusable`
 */
export async function request(
  url: string | URL,
  { settings, headers = {}, signal }: {
    settings: HubSettings;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  },
): Promise<Response> {
  const all = new Headers({ "User-Agent": "tr-align", ...headers });
  const isHub = new URL(url).origin === new URL(settings.endpoint).origin;
  if (settings.token !== null && isHub) all.set("Authorization", `Bearer ${settings.token}`);
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(stalled(settings)), settings.stallMilliseconds);
  let response: Response;
  try {
    response = await fetch(url, {
      headers: all,
      signal: signal === undefined ? timer.signal : AbortSignal.any([signal, timer.signal]),
    });
  } catch (error) {
    throw asFailure(error, { settings, signal });
  } finally {
    clearTimeout(timeout);
  }
  if (response.ok) return response;
  throw await refusal(response, settings);
}

/** Sends a request for JSON and repeats it as {@linkcode retrying} does; usable in place of `fetch`. */
export function createFetch(context: HubContext): typeof fetch {
  const { settings } = context;
  return (input, init) =>
    retrying(context, async () => {
      const headers = Object.fromEntries(new Headers(init?.headers));
      const url = input instanceof Request ? input.url : input;
      // The time limit is for the body too, which is read here so that a cut within it is repeated.
      const response = await request(url, { settings, headers });
      const body = await readAll(response, settings);
      return new Response(body, { status: response.status, headers: response.headers });
    });
}

async function readAll(response: Response, settings: HubSettings): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of readChunks(response, { settings })) chunks.push(chunk);
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/**
 * The bytes of a response as they come.
 *
 * @throws {HubError} `unreachable` if the connection is cut, or no byte comes for the time limit
 */
export async function* readChunks(
  response: Response,
  { settings, signal }: { settings: HubSettings; signal?: AbortSignal },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body!.getReader();
  try {
    while (true) {
      const { done, value } = await readOne(reader, { settings, signal });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function readOne(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  { settings, signal }: { settings: HubSettings; signal: AbortSignal | undefined },
): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
  let timeout: ReturnType<typeof setTimeout> | undefined;
  const stall = new Promise<never>((_, reject) => {
    timeout = setTimeout(() => reject(stalled(settings)), settings.stallMilliseconds);
  });
  try {
    signal?.throwIfAborted();
    return await Promise.race([reader.read(), stall]);
  } catch (error) {
    throw asFailure(error, { settings, signal });
  } finally {
    clearTimeout(timeout);
  }
}

/**
 * Does something, and does it again after a while where it failed in passing.
 *
 * @param attempt calls what it is given whenever it got further, which makes the failures before it count no more
 * @throws whatever the last attempt threw
 */
export async function retrying<T>(
  { settings, onEvent }: HubContext,
  attempt: (gotFurther: () => void) => Promise<T>,
): Promise<T> {
  let hasBegun = false;
  for (let failures = 0;;) {
    try {
      return await attempt(() => {
        [failures, hasBegun] = [0, true];
      });
    } catch (error) {
      if (!(error instanceof HubError) || error.kind !== "unreachable") throw error;
      const wait = error.retryAfter ?? settings.backOffMilliseconds * 2 ** failures * (1 + Math.random() / 4);
      // Without any answer there is probably no network, or a mistyped path was taken for an id.
      const isSilent = error.answer === null && !hasBegun;
      const allowed = isSilent ? Math.min(settings.retries, SILENT_RETRIES) : settings.retries;
      if (++failures > allowed || wait > LONGEST_WAIT) throw error;
      if (wait >= 500) {
        onEvent({ type: "message", text: `${error.message}; trying again in ${(wait / 1000).toFixed(0)} s` });
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

function stalled({ stallMilliseconds }: HubSettings): HubError {
  return new HubError("unreachable", `the hub sent nothing for ${stallMilliseconds / 1000} s`);
}

function asFailure(
  error: unknown,
  { settings, signal }: { settings: HubSettings; signal: AbortSignal | undefined },
): unknown {
  if (error instanceof HubError) return error;
  if (signal?.aborted) return signal.reason;
  // The cause says more than "fetch failed", after the address, which is long where files are served from.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = messageOf(cause).replace(
    /^error sending request for url \(.*?\): (client error \(\w+\): )?/,
    "",
  );
  return new HubError("unreachable", `${settings.endpoint} can't be reached (${reason})`, {
    cause: error,
  });
}

async function refusal(response: Response, settings: HubSettings): Promise<HubError> {
  await response.body?.cancel();
  const { status, headers } = response;
  const answer = { status, code: headers.get("X-Error-Code"), message: headers.get("X-Error-Message") };
  const said = `${settings.endpoint} answered ${status}${answer.message ? ` (${answer.message})` : ""}`;
  if (PASSING_STATUSES.includes(status)) {
    return new HubError("unreachable", status === 429 ? `${said}: too many requests` : said, {
      answer,
      retryAfter: retryAfter(headers),
    });
  }
  if (status === 404 || answer.code === "RepoNotFound") return new HubError("missing", said, { answer });
  if (status === 401 || status === 403) return new HubError("denied", said, { answer });
  return new HubError("unusable", said, { answer });
}

// Seconds or a date; the hub's own limits come as `RateLimit: "api";r=0;t=55`.
function retryAfter(headers: Headers): number | null {
  const value = headers.get("Retry-After");
  const limit = /;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)/.exec(headers.get("RateLimit") ?? "");
  if (value === null) return limit === null ? null : Number(limit[1]) * 1000;
  const milliseconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : null;
}
