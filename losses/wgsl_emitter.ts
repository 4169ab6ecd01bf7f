import { operatorRules } from "./operators.ts";
import type { Tape } from "./tape.ts";
import type { WgslHelper } from "./wgsl_helpers.ts";

const LARGEST_FLOAT32 = 3.4028234663852886e38;
const SMALLEST_NORMAL_FLOAT32 = 1.1754943508222875e-38;

/** Straight-line WGSL. */
export interface WgslCode {
  /** `let` statements, one an operation. */
  readonly statements: readonly string[];
  /** For each output of the tape, the name or literal that holds it. */
  readonly outputs: readonly string[];
  /** Helper functions that the statements call. */
  readonly helpers: ReadonlySet<WgslHelper>;
}

/**
 * Writes a tape as WGSL; `inputs[i]` is the text that reads variable i, and the names of all `let`s begin with `prefix`.
 *
 * Throws if a constant has no normal float32.
 */
export function emitWgsl(tape: Tape, inputs: readonly string[], { prefix }: { prefix: string }): WgslCode {
  const names = new Map<number, string>(inputs.map((text, slot) => [slot, text]));
  for (const { slot, value } of tape.constants) names.set(slot, floatLiteral(value));
  const statements: string[] = [];
  const helpers = new Set<WgslHelper>();
  for (const { operator, operands, result } of tape.instructions) {
    const rule = operatorRules[operator];
    const name = `${prefix}${statements.length}`;
    statements.push(`let ${name} = ${rule.wgsl(operands.map((slot) => names.get(slot)!))};`);
    names.set(result, name);
    if (rule.helper !== undefined) helpers.add(rule.helper);
  }
  return { statements, outputs: tape.outputs.map((slot) => names.get(slot)!), helpers };
}

/** A WGSL literal of type f32; throws if float32 has no normal number near `value`. */
export function floatLiteral(value: number): string {
  const size = Math.abs(value);
  if (!(size <= LARGEST_FLOAT32) || (size !== 0 && size < SMALLEST_NORMAL_FLOAT32)) {
    throw new RangeError(
      `loss: constant ${value} cannot be written as a float32 (1.2e-38 to 3.4e38 in size)`,
    );
  }
  return value < 0 ? `(-${size}f)` : `${size}f`;
}
