import { assert, assertEquals, assertThrows } from "@std/assert";
import { derivatives } from "../../losses/derivative.ts";
import {
  add,
  constant,
  detach,
  divide,
  exp,
  type Expression,
  log,
  log1mexp,
  logSigmoid,
  maximum,
  minimum,
  multiply,
  negate,
  select,
  sigmoid,
  softplus,
  square,
  subtract,
  variable,
} from "../../losses/expression.ts";
import { compileTape, runTape } from "../../losses/tape.ts";
import { assertClose, assertRelative, finiteDifferences } from "./assertions.ts";

const x = variable("x");
const y = variable("y");

function evaluate(expression: Expression, point: readonly number[]): number {
  return runTape(compileTape([expression], [x, y]), { inputs: point, count: 1 })[0]![0]!;
}

const operators: Record<string, { expression: Expression; value: (x: number, y: number) => number }> = {
  add: { expression: add(x, y), value: (x, y) => x + y },
  subtract: { expression: subtract(x, y), value: (x, y) => x - y },
  multiply: { expression: multiply(x, y), value: (x, y) => x * y },
  divide: { expression: divide(x, y), value: (x, y) => x / y },
  negate: { expression: multiply(negate(x), y), value: (x, y) => -x * y },
  square: { expression: square(add(x, y)), value: (x, y) => (x + y) ** 2 },
  exp: { expression: exp(divide(x, y)), value: (x, y) => Math.exp(x / y) },
  log: { expression: log(square(subtract(x, y))), value: (x, y) => Math.log((x - y) ** 2) },
  sigmoid: { expression: sigmoid(multiply(x, y)), value: (x, y) => 1 / (1 + Math.exp(-x * y)) },
  logSigmoid: {
    expression: logSigmoid(multiply(x, y)),
    value: (x, y) => Math.log(1 / (1 + Math.exp(-x * y))),
  },
  softplus: { expression: softplus(multiply(x, y)), value: (x, y) => Math.log(1 + Math.exp(x * y)) },
  log1mexp: {
    expression: log1mexp(negate(square(subtract(x, y)))),
    value: (x, y) => Math.log(1 - Math.exp(-((x - y) ** 2))),
  },
  maximum: { expression: maximum(square(x), multiply(2, y)), value: (x, y) => Math.max(x * x, 2 * y) },
  minimum: { expression: minimum(square(x), multiply(2, y)), value: (x, y) => Math.min(x * x, 2 * y) },
  select: {
    expression: select({ greater: [x, y] }, { then: square(x), otherwise: multiply(x, y) }),
    value: (x, y) => x > y ? x * x : x * y,
  },
};

for (const [name, { expression, value }] of Object.entries(operators)) {
  Deno.test(`${name} has its value and the derivatives of finite differences`, () => {
    for (const point of [[0.7, 0.4], [-1.3, 2.1], [1.9, -0.6], [-0.35, -1.2]]) {
      assertClose([evaluate(expression, point)], [value(point[0]!, point[1]!)], 1e-13);
      const expected = finiteDifferences(([x, y]) => value(x!, y!), point);
      assertClose(derivatives(expression, [x, y]).map((d) => evaluate(d, point)), expected, 1e-8);
    }
  });
}

Deno.test("detach keeps the value and stops the derivative", () => {
  const expression = multiply(detach(x), x);
  assertEquals(evaluate(expression, [3, 0]), 9);
  assertEquals(evaluate(derivatives(expression, [x])[0]!, [3, 0]), 3);
});

Deno.test("derivatives add up over all uses of a variable, also by equal but separate sub-expressions", () => {
  const expression = add(multiply(exp(x), exp(x)), x);
  assertRelative(evaluate(derivatives(expression, [x])[0]!, [0.5, 0]), 2 * Math.E + 1);
});

Deno.test("derivatives by a variable that is not read are 0", () => {
  assertEquals(derivatives(square(x), [y]), [constant(0)]);
});

Deno.test("sigmoid, logSigmoid and their derivatives keep relative accuracy in both tails", () => {
  const tail = Math.exp(-700);
  assertRelative(evaluate(sigmoid(x), [-700, 0]), tail);
  assertEquals(evaluate(sigmoid(x), [700, 0]), 1);
  assertRelative(evaluate(derivatives(sigmoid(x), [x])[0]!, [700, 0]), tail);
  assertRelative(evaluate(logSigmoid(x), [700, 0]), -tail);
  assertRelative(evaluate(logSigmoid(x), [-700, 0]), -700);
  assertRelative(evaluate(derivatives(logSigmoid(x), [x])[0]!, [700, 0]), tail);
});

Deno.test("log1mexp and its derivative keep relative accuracy at both ends and stay finite at 0", () => {
  const derivative = derivatives(log1mexp(x), [x])[0]!;
  // log(1 − e^−h) = log h − h/2 + …; its derivative is −1/h + 1/2 + …
  assertRelative(evaluate(log1mexp(x), [-1e-12, 0]), Math.log(1e-12) - 5e-13);
  assertRelative(evaluate(derivative, [-1e-12, 0]), -1e12, 1e-11);
  assertRelative(evaluate(log1mexp(x), [-600, 0]), -Math.exp(-600));
  assertRelative(evaluate(derivative, [-600, 0]), -Math.exp(-600), 1e-12);
  assert(Number.isFinite(evaluate(log1mexp(x), [0, 0])));
  assert(Number.isFinite(evaluate(derivative, [0, 0])));
});

Deno.test("maximum gives the derivative at a tie to its first operand", () => {
  assertEquals(evaluate(derivatives(maximum(x, 0), [x])[0]!, [0, 0]), 1);
  assertEquals(evaluate(derivatives(maximum(0, x), [x])[0]!, [0, 0]), 0);
});

Deno.test("expressions of constants and of 0 and 1 simplify", () => {
  assertEquals(add(2, 3), constant(5));
  assertEquals(add(x, 0), x);
  assertEquals(subtract(x, 0), x);
  assertEquals(multiply(1, x), x);
  assertEquals(multiply(x, 0), constant(0));
  assertEquals(divide(x, 1), x);
  assertEquals(negate(negate(x)), x);
});

Deno.test("expressions reject constants that are not finite and division by the constant 0", () => {
  assertThrows(() => multiply(NaN, x), RangeError, "must be finite, got NaN");
  assertThrows(() => divide(x, 0), RangeError, "division by the constant 0");
});
