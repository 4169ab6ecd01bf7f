/**
 * What is wrong with a configuration, where it was written, and how that reads.
 *
 * @module
 */

/** One thing that is wrong with one key. */
export interface Problem {
  /** The key's dotted name; empty for the whole. */
  path: string;
  /** What is wrong, as the message goes on after the key. */
  message: string;
  /** What helps where a flag has changed something that a line of the file then contradicts. */
  flagHint?: { changed: string; hint: string };
}

/** Where each key was written, such as `line 14` or `--loss.beta`. */
export type Origins = ReadonlyMap<string, string>;

/** Writes a value into a message, on one line and not too long. */
export function show(value: unknown): string {
  if (typeof value === "number") return showNumber(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function showNumber(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}

/** Whether `path` is one of `paths` or lies inside one. */
export function isWithin(path: string, paths: Iterable<string>): boolean {
  for (const outer of paths) {
    if (outer === "" || path === outer || path.startsWith(`${outer}.`)) return true;
  }
  return false;
}

/** Writes problems as one message: on one line if it is one, else one line each below a heading. */
export function describeProblems(problems: readonly Problem[], { name, origins }: {
  name: string;
  origins: Origins;
}): string {
  const lines = [...new Set(problems.map((problem) => describeProblem(problem, origins)))];
  if (lines.length === 1) return `${name}: ${lines[0]}`;
  return `${name}: ${lines.length} problems\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function describeProblem({ path, message, flagHint }: Problem, origins: Origins): string {
  const origin = originOf(path, origins);
  const hint = flagHint && origins.get(flagHint.changed)?.startsWith("--") && !origin?.startsWith("--")
    ? `; ${flagHint.hint}`
    : "";
  return `${path === "" ? "" : `${path}: `}${message}${hint}${origin === undefined ? "" : ` (${origin})`}`;
}

/** Lays the origins of flags over those of a file's lines; a flag for a section hides the lines inside it. */
export function withFlagOrigins(origins: Origins, flags: readonly string[]): Origins {
  const lines = [...origins].filter(([key]) => !isWithin(key, flags));
  return new Map([...lines, ...flags.map((key) => [key, `--${key}`] as const)]);
}

/** Where a key, or else the nearest section around it, was written. */
function originOf(path: string, origins: Origins): string | undefined {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const origin = origins.get(at);
    if (origin !== undefined) return origin;
  }
  return undefined;
}
