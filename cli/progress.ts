/**
 * The progress of a run: one line that is redrawn in place on a terminal, and a plain line now and then elsewhere.
 *
 * @module
 */
import { formatBytes, formatCount, formatDuration } from "./format.ts";

/** How far a run is, and how it fares. */
export interface ProgressUpdate {
  /** Steps done. */
  step: number;
  /** Steps in all. */
  total: number;
  /** The last step's loss. */
  loss?: number | undefined;
  /** The last step's mean reward margin. */
  margin?: number | undefined;
  /** Tokens trained on in a second. */
  tokensPerSecond?: number | undefined;
  /** What steps are, where they are bytes of a download. */
  unit?: "bytes" | undefined;
}

/** A {@linkcode ProgressUpdate} with the time that is left. */
export interface ProgressState extends ProgressUpdate {
  /** Seconds until the last step, once two steps have been timed. */
  secondsLeft?: number | undefined;
  /** Steps in a second, over the same time. */
  stepsPerSecond?: number | undefined;
}

/** Draws the progress of a run. */
export interface Progress {
  /** Shows a new state, if enough time has passed since the last one. */
  update(update: ProgressUpdate): void;
  /** Writes a message on a line of its own, above the bar. */
  print(message: string): void;
  /** Shows the last state, if it isn't on display, and leaves the line; call it also when a run stops early. */
  finish(): void;
}

/** Where and how {@linkcode createProgress} draws; the defaults are the process's standard error and clock. */
export interface ProgressOptions {
  /** Receives text, with its own line breaks. */
  write?: (text: string) => void;
  /** Whether to redraw one line in place. */
  isTerminal?: boolean;
  /** Characters in a line of the terminal. */
  columns?: () => number;
  /** Whether to colour the bar; by default, unless `NO_COLOR` is set. */
  color?: boolean;
  /** Milliseconds on any clock that does not go back. */
  now?: () => number;
}

const REDRAW_MILLISECONDS = 100;
const PLAIN_LINE_MILLISECONDS = 10_000;
const DEFAULT_COLUMNS = 80;
const LONGEST_BAR = 24;
const SHORTEST_BAR = 8;
// The percentage and the loss; the others give way to the bar.
const PARTS_BEFORE_BAR = 2;
const GAP = "  ";
const CLEAR_LINE = "\r\x1b[K";

/**
 * Draws a state as one line of at most `width` characters with a bar in it.
 *
 * Where the line is narrow the bar shrinks, then parts go, the least important first, then the bar; the step stays.
 */
export function renderProgress(state: ProgressState, width: number, { color = false } = {}): string {
  const counter = counterOf(state);
  const parts = measures(state);
  const room = () => width - [counter, "", ...parts].join(GAP).length;
  while (parts.length > PARTS_BEFORE_BAR && room() < SHORTEST_BAR) parts.pop();
  if (room() >= SHORTEST_BAR) {
    return [counter, renderBar(state, Math.min(room(), LONGEST_BAR), color), ...parts].join(GAP);
  }
  while (parts.length > 0 && [counter, ...parts].join(GAP).length > width) parts.pop();
  return [counter, ...parts].join(GAP).slice(0, Math.max(0, width));
}

/** Draws a state as one plain line, for a log. */
export function renderProgressLine(state: ProgressState): string {
  const noun = state.unit === "bytes" ? "downloaded" : "step";
  return [`${noun} ${counterOf(state)}`, ...measures(state)].join(GAP);
}

function counterOf({ step, total, unit }: ProgressState): string {
  return unit === "bytes" ? `${formatBytes(step)}/${formatBytes(total)}` : `${step}/${total}`;
}

// The most important first.
function measures(state: ProgressState): string[] {
  const { loss, margin, secondsLeft, stepsPerSecond, tokensPerSecond, unit } = state;
  const parts = [`${String(Math.floor(100 * share(state))).padStart(3)}%`];
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(4)}`);
  if (unit === "bytes" && stepsPerSecond !== undefined) parts.push(`${formatBytes(stepsPerSecond)}/s`);
  if (secondsLeft !== undefined) parts.push(`${formatDuration(secondsLeft)} left`);
  if (margin !== undefined) parts.push(`margin ${margin.toFixed(3)}`);
  if (tokensPerSecond !== undefined) parts.push(`${formatCount(tokensPerSecond)} tok/s`);
  return parts;
}

function renderBar(state: ProgressState, length: number, color: boolean): string {
  const done = Math.floor(length * share(state));
  const [full, empty] = ["█".repeat(done), "░".repeat(length - done)];
  return color ? `\x1b[32m${full}\x1b[0m\x1b[2m${empty}\x1b[0m` : full + empty;
}

function share({ step, total }: ProgressState): number {
  return total > 0 ? Math.min(1, Math.max(0, step / total)) : 0;
}

/**
 * Creates the display of a run's progress.
 *
 * On a terminal it redraws one line at most ten times a second; elsewhere it writes the first and the last
 * state and one about every ten seconds between them.
 */
export function createProgress(options: ProgressOptions = {}): Progress {
  const {
    write = writeToStandardError,
    isTerminal = Deno.stderr.isTerminal(),
    columns = terminalColumns,
    color = !Deno.noColor,
    now = () => performance.now(),
  } = options;
  const interval = isTerminal ? REDRAW_MILLISECONDS : PLAIN_LINE_MILLISECONDS;
  let first: { step: number; time: number } | undefined;
  let shownAt = -Infinity;
  let shown: ProgressState | undefined;
  let latest: ProgressState | undefined;

  function show(state: ProgressState): void {
    // The last column stays empty: some terminals break the line when it fills.
    if (isTerminal) write(CLEAR_LINE + renderProgress(state, columns() - 1, { color }));
    else write(`${renderProgressLine(state)}\n`);
    [shown, shownAt] = [state, now()];
  }

  return {
    update(update) {
      const time = now();
      // Timed from the first step's end: that step also compiles the program, and a resumed run starts late.
      first ??= { step: update.step, time };
      const steps = update.step - first.step;
      const stepsPerSecond = steps > 0 ? steps / ((time - first.time) / 1000) : undefined;
      const secondsLeft = stepsPerSecond && (update.total - update.step) / stepsPerSecond;
      latest = { ...update, secondsLeft, stepsPerSecond };
      if (time - shownAt >= interval || update.step >= update.total) show(latest);
    },
    print(message) {
      write(isTerminal ? `${CLEAR_LINE}${message}\n` : `${message}\n`);
      if (isTerminal && latest) show(latest);
    },
    finish() {
      if (latest && latest !== shown) show(latest);
      if (isTerminal && latest) write("\n");
      latest = undefined;
    },
  };
}

function writeToStandardError(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return DEFAULT_COLUMNS;
  }
}
