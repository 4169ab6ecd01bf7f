import { defineReferenceStrategy, type ReferenceStrategy } from "./strategy.ts";

/**
 * Leaves the reference as it is, which makes a Trust Region loss its classical form.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { frozen } from "@tr/align/reference";
 *
 * assertEquals(frozen()({ step: 512, totalSteps: 1024 }), 0);
 * ```
 */
export function frozen(): ReferenceStrategy {
  return defineReferenceStrategy(() => 0, { name: "frozen" }, { copies: false });
}
