// deno-lint-ignore-file no-explicit-any no-import-prefix
/**
 * The part of `@std/assert` that this project uses, re-exported with types from the npm build of the same
 * sources so that it resolves where the JSR registry is out of reach.
 *
 * @module
 */
import * as std from "npm:deno-std@1.4.0/assert/mod.js";

type ErrorClass<E extends Error> = abstract new (...parameters: any[]) => E;

/** Throws unless `expression` is truthy. */
export const assert: (expression: unknown, message?: string) => asserts expression = std.assert;
/** Throws unless both values are deeply equal. */
export const assertEquals: <T>(actual: T, expected: T, message?: string) => void = std.assertEquals;
/** Throws if both values are deeply equal. */
export const assertNotEquals: <T>(actual: T, expected: T, message?: string) => void = std.assertNotEquals;
/** Throws unless `|actual − expected| ≤ tolerance`. */
export const assertAlmostEquals: (
  actual: number,
  expected: number,
  tolerance?: number,
  message?: string,
) => void = std.assertAlmostEquals;
/** Throws unless `actual` contains `expected`. */
export const assertStringIncludes: (actual: string, expected: string, message?: string) => void =
  std.assertStringIncludes;
/** Throws unless `actual` matches `expected`. */
export const assertMatch: (actual: string, expected: RegExp, message?: string) => void = std.assertMatch;
/** Throws unless calling `fn` throws an `ErrorClass` whose message includes `messageIncludes`; returns the error. */
export const assertThrows: <E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
  message?: string,
) => E = std.assertThrows as any;
/** Throws unless the promise that `fn` returns rejects with an `ErrorClass` whose message includes `messageIncludes`. */
export const assertRejects: <E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
  message?: string,
) => Promise<E> = std.assertRejects as any;
