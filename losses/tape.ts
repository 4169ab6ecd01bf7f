import type { Expression, Operator, Variable } from "./expression.ts";
import { operatorRules } from "./operators.ts";

/** One operation of a tape; operands and result are slot numbers. */
export interface Instruction {
  readonly operator: Operator;
  readonly operands: readonly number[];
  readonly result: number;
}

/** Expressions flattened into straight-line code over numbered slots, each distinct sub-expression once. */
export interface Tape {
  /** The variables; variable i lives in slot i. */
  readonly inputs: readonly Variable[];
  /** Values that never change, with their slots. */
  readonly constants: readonly { readonly slot: number; readonly value: number }[];
  /** In an order in which each one's operands are ready. */
  readonly instructions: readonly Instruction[];
  /** The slot of each expression that was asked for. */
  readonly outputs: readonly number[];
  /** How many slots there are. */
  readonly slotCount: number;
}

/**
 * Flattens `expressions` into one tape that reads `inputs`.
 *
 * Equal sub-expressions share a slot, operations on constants are done here, `detach` disappears, and nothing that
 * no output needs is kept. Throws if an expression reads a variable that is not among `inputs`.
 */
export function compileTape(expressions: readonly Expression[], inputs: readonly Variable[]): Tape {
  const variableSlots = new Map(inputs.map((input, slot) => [input, slot]));
  const instructions: Instruction[] = [];
  const constantValues = new Map<number, number>();
  const slotOfKey = new Map<string, number>();
  const slotOfNode = new Map<Expression, number>();
  let slotCount = inputs.length;

  const slotFor = (key: string, onNew: (slot: number) => void): number => {
    const known = slotOfKey.get(key);
    if (known !== undefined) return known;
    const slot = slotCount++;
    slotOfKey.set(key, slot);
    onNew(slot);
    return slot;
  };
  const constantSlot = (value: number): number =>
    slotFor(`constant ${value}`, (slot) => constantValues.set(slot, value));

  const operationSlot = (operator: Operator, operands: readonly number[]): number => {
    if (operator === "detach") return operands[0]!;
    const values = operands.map((slot) => constantValues.get(slot));
    if (values.every((value) => value !== undefined)) {
      const [a = 0, b = 0, c = 0, d = 0] = values;
      return constantSlot(operatorRules[operator].value(a, b, c, d));
    }
    const commutes = operator === "add" || operator === "multiply";
    const ordered = commutes ? operands.toSorted((a, b) => a - b) : operands;
    return slotFor(
      `${operator} ${ordered.join(" ")}`,
      (result) => instructions.push({ operator, operands: ordered, result }),
    );
  };

  const visit = (node: Expression): number => {
    const known = slotOfNode.get(node);
    if (known !== undefined) return known;
    let slot: number;
    if (node.kind === "constant") {
      slot = constantSlot(node.value);
    } else if (node.kind === "operation") {
      slot = operationSlot(node.operator, node.operands.map(visit));
    } else {
      const input = variableSlots.get(node);
      if (input === undefined) throw new Error(`expression: variable "${node.name}" is not available here`);
      slot = input;
    }
    slotOfNode.set(node, slot);
    return slot;
  };

  const outputs = expressions.map(visit);
  const used = new Set([...outputs, ...instructions.flatMap(({ operands }) => operands)]);
  const constants = [...constantValues].filter(([slot]) => used.has(slot)).map(([slot, value]) => ({
    slot,
    value,
  }));
  return { inputs, constants, instructions, outputs, slotCount };
}

/** What a tape is run over. */
export interface TapeRun {
  /** For each input of the tape one number a record, or one number for all of them. */
  readonly inputs: readonly (ArrayLike<number> | number)[];
  /** How many records. */
  readonly count: number;
}

/** Runs a tape in float64, once a record; returns one array an output. */
export function runTape(tape: Tape, { inputs, count }: TapeRun): Float64Array[] {
  const slots = new Float64Array(tape.slotCount);
  for (const { slot, value } of tape.constants) slots[slot] = value;
  const outputs = tape.outputs.map(() => new Float64Array(count));
  for (let i = 0; i < count; i++) {
    inputs.forEach((input, slot) => slots[slot] = typeof input === "number" ? input : input[i]!);
    for (const { operator, operands, result } of tape.instructions) {
      const [a = 0, b = 0, c = 0, d = 0] = operands;
      slots[result] = operatorRules[operator].value(slots[a]!, slots[b]!, slots[c]!, slots[d]!);
    }
    outputs.forEach((output, index) => output[i] = slots[tape.outputs[index]!]!);
  }
  return outputs;
}
