// deno-lint-ignore-file no-explicit-any no-import-prefix
/**
 * The part of `@std/cli` that this project uses, re-exported with types from the npm build of the same sources
 * so that it resolves where the JSR registry is out of reach.
 *
 * @module
 */
import { parseArgs as parse } from "npm:deno-std@1.4.0/cli/parse_args.js";

/** Options of {@linkcode parseArgs} that this project uses. */
export interface ParseOptions {
  /** Flags that take no value. */
  boolean?: readonly string[];
  /** Flags whose value stays text. */
  string?: readonly string[];
  /** Flags that may be given several times. */
  collect?: readonly string[];
  /** Other names of a flag. */
  alias?: Record<string, string | readonly string[]>;
  /** Called for every flag that is not declared; returning false drops it. */
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Splits command-line arguments into flags and positional arguments (`_`). */
export const parseArgs: (args: readonly string[], options?: ParseOptions) => Record<string, any> & {
  _: (string | number)[];
} = parse as any;
