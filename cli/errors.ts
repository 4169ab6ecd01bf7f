/**
 * How a command fails: one clear message, no stack, and an exit code.
 *
 * @module
 */

/** What shells give for a process that Ctrl-C ended. */
export const INTERRUPTED_EXIT_CODE = 130;

/** A mistake that its user can mend; the message says how, so no stack is shown. */
export class UserError extends Error {
  /** The error's name. */
  override readonly name = "UserError";
  /** What the process exits with. */
  readonly exitCode: number;

  /** Creates the error from its whole message; the exit code is 1 by default. */
  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Where {@linkcode runCommand} reports; the defaults are the process's own. */
export interface RunCommandOptions {
  /** Receives the message, without a line break at its end; standard error by default. */
  report?: (message: string) => void;
  /** Whether to show stacks; by default, whether the environment has `TR_ALIGN_DEBUG=1`. */
  debug?: boolean;
}

/**
 * Runs a command's body and turns whatever it throws into one message on standard error and an exit code.
 *
 * The exit code, which is returned and set on the process, is what `main` returns (0 for nothing), the code of
 * a {@linkcode UserError}, or 1 for any other error.
 */
export async function runCommand(
  main: () => Promise<number | void> | number | void,
  options: RunCommandOptions = {},
): Promise<number> {
  const { report = console.error, debug = isDebugging() } = options;
  let exitCode: number;
  try {
    exitCode = await main() ?? 0;
  } catch (error) {
    report(describeError(error, debug));
    exitCode = error instanceof UserError ? error.exitCode : 1;
  }
  Deno.exitCode = exitCode;
  return exitCode;
}

function describeError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `error: ${String(error)}`;
  if (debug) return `error: ${error.stack ?? error.message}${describeCause(error.cause)}`;
  return `error: ${error.message || error.name}`;
}

function describeCause(cause: unknown): string {
  if (cause === undefined) return "";
  return cause instanceof Error
    ? `\ncaused by: ${cause.stack ?? cause.message}${describeCause(cause.cause)}`
    : `\ncaused by: ${String(cause)}`;
}

function isDebugging(): boolean {
  try {
    return Deno.env.get("TR_ALIGN_DEBUG") === "1";
  } catch {
    return false; // without permission to read the environment there is nothing to switch it on
  }
}
