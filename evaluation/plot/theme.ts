import type { Tone } from "./types.ts";

/** The tones in the order in which series without one take them. */
const ORDER: readonly Tone[] = ["chosen", "rejected", "moving", "initial", "c1", "c2", "c3", "c4", "plain"];

/** CSS variables of a light page, and of a dark one. */
const VARIABLES = {
  light: `--page: #fcfcfb; --card: #ffffff; --ink: #1c1e21; --soft: #5d636b; --edge: #e3e4e6; --grid: #ececee;
  --plain: var(--ink); --chosen: #1766c8; --rejected: #c8540a; --moving: #0b7f6b; --initial: #8a3fc0;
  --c1: #b8245c; --c2: #8a6d00; --c3: #0d7c9c; --c4: #66733d;`,
  dark: `--page: #131517; --card: #1b1e21; --ink: #e8e9eb; --soft: #9ba1a9; --edge: #2e3237; --grid: #2b2f34;
  --plain: var(--ink); --chosen: #62a8ff; --rejected: #ff9950; --moving: #3fc6ab; --initial: #c08bf0;
  --c1: #ff7da6; --c2: #e0bd3c; --c3: #55cbe8; --c4: #b3c37a;`,
} as const;

/** Declares the colours on the elements that `selector` names, after the reader's light or dark theme. */
export function themeStyle(selector: string): string {
  return `${selector} {
  color-scheme: light dark;
  ${VARIABLES.light}
}
@media (prefers-color-scheme: dark) {
  ${selector} {
  ${VARIABLES.dark}
  }
}`;
}

/** Rules for what `drawChart` draws; the size of its text is set by whoever places it. */
export const CHART_STYLE = `
.chart text { fill: var(--soft); font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }`;

/** The colour of a tone, for an attribute. */
export function colorOf(tone: Tone): string {
  return `var(--${tone})`;
}

/** Gives each name a tone: its own where a series of it has one, else the next that is free, over and over. */
export function assignTones(
  series: readonly { readonly name: string; readonly tone?: Tone }[],
): Map<string, Tone> {
  const tones = new Map<string, Tone>();
  for (const { name, tone } of series) if (tone !== undefined) tones.set(name, tone);
  const taken = new Set(tones.values());
  const free = ORDER.filter((tone) => !taken.has(tone));
  const choices = free.length > 0 ? free : ORDER;
  let next = 0;
  for (const { name } of series) {
    if (!tones.has(name)) tones.set(name, choices[next++ % choices.length]!);
  }
  return tones;
}
