import { assertEquals, assertThrows } from "@std/assert";
import { add, detach, exp, logSigmoid, multiply, subtract, variable } from "../../losses/expression.ts";
import { compileTape, runTape } from "../../losses/tape.ts";

const x = variable("x");
const y = variable("y");

Deno.test("compileTape keeps one instruction for equal sub-expressions, whatever the order of a sum", () => {
  const tape = compileTape([add(exp(x), y), add(y, detach(exp(x))), subtract(x, y)], [x, y]);
  assertEquals(tape.instructions.map(({ operator }) => operator), ["exp", "add", "subtract"]);
  assertEquals(tape.outputs[0], tape.outputs[1]);
});

Deno.test("compileTape computes what is constant", () => {
  const tape = compileTape([multiply(x, logSigmoid(0))], [x]);
  assertEquals(tape.instructions.length, 1);
  assertEquals(tape.constants.map(({ value }) => value), [-Math.LN2]);
});

Deno.test("compileTape tells variables of one name apart", () => {
  const other = variable("x");
  const tape = compileTape([subtract(x, other)], [x, other]);
  assertEquals(runTape(tape, { inputs: [[5, 6], 3], count: 2 }), [Float64Array.of(2, 3)]);
});

Deno.test("compileTape rejects a variable that is no input", () => {
  assertThrows(() => compileTape([add(x, y)], [x]), Error, 'variable "y"');
});
