import {
  constant,
  divide,
  exp,
  type Expression,
  multiply,
  negate,
  type Operator,
  select,
  sigmoid,
  subtract,
} from "./expression.ts";
import type { WgslHelper } from "./wgsl_helpers.ts";

/** All that is to know about one operator. */
export interface OperatorRule {
  /** The value in float64; operands that an operator lacks are arbitrary. */
  readonly value: (a: number, b: number, c: number, d: number) => number;
  /** What each operand's adjoint gains, given the adjoint `g` of the result; null where nothing flows. */
  readonly adjoints: (
    g: Expression,
    operands: readonly Expression[],
    result: Expression,
  ) => (Expression | null)[];
  /** The value in WGSL, as an expression that needs no parentheses around its operands. */
  readonly wgsl: (operands: readonly string[]) => string;
  /** The helper function that `wgsl` calls. */
  readonly helper?: WgslHelper;
}

/** Largest argument `log1mexp` is computed for. */
const LARGEST_LOG1MEXP_ARGUMENT = -1e-30;

/** Value, derivative and WGSL of every operator, side by side. */
export const operatorRules: Readonly<Record<Operator, OperatorRule>> = {
  add: {
    value: (a, b) => a + b,
    adjoints: (g) => [g, g],
    wgsl: ([a, b]) => `${a} + ${b}`,
  },
  subtract: {
    value: (a, b) => a - b,
    adjoints: (g) => [g, negate(g)],
    wgsl: ([a, b]) => `${a} - ${b}`,
  },
  multiply: {
    value: (a, b) => a * b,
    adjoints: (g, [a, b]) => [multiply(g, b!), multiply(g, a!)],
    wgsl: ([a, b]) => `${a} * ${b}`,
  },
  divide: {
    value: (a, b) => a / b,
    adjoints: (g, [, b], quotient) => [divide(g, b!), negate(divide(multiply(g, quotient), b!))],
    wgsl: ([a, b]) => `${a} / ${b}`,
  },
  negate: {
    value: (a) => -a,
    adjoints: (g) => [negate(g)],
    wgsl: ([a]) => `-${a}`,
  },
  square: {
    value: (a) => a * a,
    adjoints: (g, [a]) => [multiply(g, multiply(2, a!))],
    wgsl: ([a]) => `${a} * ${a}`,
  },
  exp: {
    value: Math.exp,
    adjoints: (g, _, result) => [multiply(g, result)],
    wgsl: ([a]) => `loss_exp(${a})`,
    helper: "loss_exp",
  },
  log: {
    value: Math.log,
    adjoints: (g, [a]) => [divide(g, a!)],
    wgsl: ([a]) => `log(${a})`,
  },
  sigmoid: {
    value: sigmoidValue,
    // σ(x) σ(−x) keeps its relative accuracy where σ(x) (1 − σ(x)) has none left.
    adjoints: (g, [a], result) => [multiply(g, multiply(result, sigmoid(negate(a!))))],
    wgsl: ([a]) => `loss_sigmoid(${a})`,
    helper: "loss_sigmoid",
  },
  logSigmoid: {
    value: (a) => Math.min(a, 0) - Math.log1p(Math.exp(-Math.abs(a))),
    adjoints: (g, [a]) => [multiply(g, sigmoid(negate(a!)))],
    wgsl: ([a]) => `loss_log_sigmoid(${a})`,
    helper: "loss_log_sigmoid",
  },
  log1mexp: {
    value: log1mexpValue,
    // −eˣ / (1 − eˣ), as a difference of logarithms so that neither end cancels.
    adjoints: (g, [a], result) => [negate(multiply(g, exp(subtract(a!, result))))],
    wgsl: ([a]) => `loss_log1mexp(${a})`,
    helper: "loss_log1mexp",
  },
  maximum: {
    value: (a, b) => Math.max(a, b),
    // On a tie all of it goes to the first operand: the derivative of max(x, 0) at 0 is 1, as in torch.clamp.
    adjoints: (g, [a, b]) => [
      select({ greater: [b!, a!] }, { then: 0, otherwise: g }),
      select({ greater: [b!, a!] }, { then: g, otherwise: 0 }),
    ],
    // Not max(): that turns a NaN into the other operand.
    wgsl: ([a, b]) => `select(${a}, ${b}, ${b} > ${a})`,
  },
  minimum: {
    value: (a, b) => Math.min(a, b),
    adjoints: (g, [a, b]) => [
      select({ greater: [a!, b!] }, { then: 0, otherwise: g }),
      select({ greater: [a!, b!] }, { then: g, otherwise: 0 }),
    ],
    wgsl: ([a, b]) => `select(${a}, ${b}, ${a} > ${b})`,
  },
  select: {
    value: (a, b, c, d) => a > b ? c : d,
    adjoints: (g, [a, b]) => [
      null,
      null,
      select({ greater: [a!, b!] }, { then: g, otherwise: constant(0) }),
      select({ greater: [a!, b!] }, { then: constant(0), otherwise: g }),
    ],
    wgsl: ([a, b, c, d]) => `select(${d}, ${c}, ${a} > ${b})`,
  },
  detach: {
    value: (a) => a,
    adjoints: () => [null],
    wgsl: ([a]) => a!,
  },
};

function sigmoidValue(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

function log1mexpValue(x: number): number {
  const clamped = Math.min(x, LARGEST_LOG1MEXP_ARGUMENT);
  return clamped < -Math.LN2 ? Math.log1p(-Math.exp(clamped)) : Math.log(-Math.expm1(clamped));
}
