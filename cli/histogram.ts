/** Bars of text. */

/** One bar. */
export interface Bar {
  /** What stands before it. */
  readonly label: string;
  /** How long it is. */
  readonly count: number;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Draws bars to scale, the longest of `width` characters, each with its label and count; a line each. */
export function drawBars(bars: readonly Bar[], { width = 40 }: { width?: number } = {}): string[] {
  const most = Math.max(1, ...bars.map(({ count }) => count));
  const labelWidth = Math.max(...bars.map(({ label }) => label.length));
  return bars.map(({ label, count }) => {
    const eighths = count === 0 ? 0 : Math.max(1, Math.round(8 * width * count / most));
    const bar = "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
    return `${label.padStart(labelWidth)} ${bar}${bar === "" ? "" : " "}${count}`;
  });
}
