/**
 * What goes wrong with the hub.
 *
 * @module
 */

/**
 * Which sort of failure it is: the hub can't be reached (`unreachable`; the cache may still help), has no such thing
 * (`missing`), wants another token (`denied`), a download broke off (`interrupted`) or has wrong bytes (`damaged`), the
 * disk is full (`disk`), or the repository can't be used (`unusable`).
 */
export type HubErrorKind =
  | "unreachable"
  | "missing"
  | "denied"
  | "interrupted"
  | "damaged"
  | "disk"
  | "unusable";

/** What an answer of the hub says about a failure. */
export interface HubAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The hub's own code, such as `RevisionNotFound`. */
  readonly code: string | null;
  /** The hub's own message. */
  readonly message: string | null;
}

/** A failure with the hub or its cache; the message is one line without the name of what was asked for. */
export class HubError extends Error {
  /** The error's name. */
  override readonly name = "HubError";
  /** The sort of failure. */
  readonly kind: HubErrorKind;
  /** What the hub answered, if it did. */
  readonly answer: HubAnswer | null;
  /** Milliseconds after which the hub wants to be asked again, if it says so. */
  readonly retryAfter: number | null;

  /** Creates the error from its kind and message. */
  constructor(
    kind: HubErrorKind,
    message: string,
    options: { answer?: HubAnswer; retryAfter?: number | null; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.answer = options.answer ?? null;
    this.retryAfter = options.retryAfter ?? null;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
