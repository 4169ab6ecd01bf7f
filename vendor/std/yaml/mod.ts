// deno-lint-ignore-file no-explicit-any no-import-prefix
/**
 * The part of `@std/yaml` that this project uses, re-exported with types from the npm build of the same sources
 * so that it resolves where the JSR registry is out of reach.
 *
 * @module
 */
import * as std from "npm:deno-std@1.4.0/yaml/mod.js";

/** Parses one YAML document; throws a `SyntaxError` that names line and column. */
export const parse: (content: string) => unknown = std.parse as any;
/** Writes a value as YAML. */
export const stringify: (
  data: unknown,
  options?: { indent?: number; lineWidth?: number; sortKeys?: boolean; flowLevel?: number },
) => string = std.stringify as any;
