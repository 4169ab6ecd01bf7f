/**
 * Scalar expressions: the one form in which a loss is written down. Its value on the host, its derivative and its
 * WGSL are all read off the same expression.
 *
 * An expression is an immutable node that refers to its operands. Variables are told apart by identity, so a
 * variable is created once and shared. Equal sub-expressions may be separate nodes: `tape.ts` merges them.
 *
 * @module
 */

/** Operations an expression is built from; `operators.ts` gives each its value, derivative and WGSL. */
export type Operator =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "negate"
  | "square"
  | "exp"
  | "log"
  | "sigmoid"
  | "logSigmoid"
  | "log1mexp"
  | "maximum"
  | "minimum"
  | "select"
  | "detach";

/** A number known when the loss is defined, such as β. */
export interface Constant {
  /** Tells the three forms of an expression apart. */
  readonly kind: "constant";
  /** Finite. */
  readonly value: number;
}

/** A number that each record, or the batch, brings; two variables are the same only if they are the same object. */
export interface Variable {
  /** Tells the three forms of an expression apart. */
  readonly kind: "variable";
  /** Shown in error messages. */
  readonly name: string;
}

/** An operator applied to operands. */
export interface Operation {
  /** Tells the three forms of an expression apart. */
  readonly kind: "operation";
  /** What is done. */
  readonly operator: Operator;
  /** What it is done to, in the order of the function that creates the operation. */
  readonly operands: readonly Expression[];
}

/** A scalar formula over variables. */
export type Expression = Constant | Variable | Operation;

/** What the functions of this module accept as an operand: an expression, or a number for a constant. */
export type Operand = Expression | number;

/** Creates a constant; throws if `value` is not finite. */
export function constant(value: number): Constant {
  if (!Number.isFinite(value)) {
    throw new RangeError(`expression: a constant must be finite, got ${value}`);
  }
  return { kind: "constant", value };
}

/** Creates a new variable, different from every other one, even of the same name. */
export function variable(name: string): Variable {
  return { kind: "variable", name };
}

/** a + b */
export function add(a: Operand, b: Operand): Expression {
  const [x, y] = [toExpression(a), toExpression(b)];
  if (isConstant(x) && isConstant(y)) return constant(x.value + y.value);
  if (is(x, 0)) return y;
  if (is(y, 0)) return x;
  return operation("add", x, y);
}

/** a − b */
export function subtract(a: Operand, b: Operand): Expression {
  const [x, y] = [toExpression(a), toExpression(b)];
  if (isConstant(x) && isConstant(y)) return constant(x.value - y.value);
  if (is(x, 0)) return negate(y);
  if (is(y, 0)) return x;
  return operation("subtract", x, y);
}

/** a · b; a product with the constant 0 is 0, whatever the other factor. */
export function multiply(a: Operand, b: Operand): Expression {
  const [x, y] = [toExpression(a), toExpression(b)];
  if (isConstant(x) && isConstant(y)) return constant(x.value * y.value);
  if (is(x, 0) || is(y, 0)) return constant(0);
  if (is(x, 1)) return y;
  if (is(y, 1)) return x;
  if (is(x, -1)) return negate(y);
  if (is(y, -1)) return negate(x);
  return operation("multiply", x, y);
}

/** a / b; throws if b is the constant 0. */
export function divide(a: Operand, b: Operand): Expression {
  const [x, y] = [toExpression(a), toExpression(b)];
  if (is(y, 0)) throw new RangeError("expression: division by the constant 0");
  if (isConstant(x) && isConstant(y)) return constant(x.value / y.value);
  if (is(x, 0) || is(y, 1)) return x;
  return operation("divide", x, y);
}

/** −x */
export function negate(x: Operand): Expression {
  const inner = toExpression(x);
  if (isConstant(inner)) return constant(inner.value === 0 ? 0 : -inner.value);
  if (inner.kind === "operation" && inner.operator === "negate") return inner.operands[0]!;
  return operation("negate", inner);
}

/** x² */
export function square(x: Operand): Expression {
  return operation("square", toExpression(x));
}

/** eˣ; in WGSL it saturates near the largest float32 instead of overflowing. */
export function exp(x: Operand): Expression {
  return operation("exp", toExpression(x));
}

/** Natural logarithm of x > 0. */
export function log(x: Operand): Expression {
  return operation("log", toExpression(x));
}

/** Logistic function σ(x) = 1 / (1 + e⁻ˣ), accurate for x of any size; write 1 − σ(x) as σ(−x). */
export function sigmoid(x: Operand): Expression {
  return operation("sigmoid", toExpression(x));
}

/** log σ(x), accurate for x of any size. */
export function logSigmoid(x: Operand): Expression {
  return operation("logSigmoid", toExpression(x));
}

/** log(1 + eˣ) = −log σ(−x). */
export function softplus(x: Operand): Expression {
  return negate(logSigmoid(negate(x)));
}

/** log(1 − eˣ) for x < 0; x above −1e-30 counts as −1e-30, so that a probability of exactly 1 stays finite. */
export function log1mexp(x: Operand): Expression {
  return operation("log1mexp", toExpression(x));
}

/** The larger of a and b; where they are equal the derivative goes to `a`. */
export function maximum(a: Operand, b: Operand): Expression {
  return operation("maximum", toExpression(a), toExpression(b));
}

/** The smaller of a and b; where they are equal the derivative goes to `a`. */
export function minimum(a: Operand, b: Operand): Expression {
  return operation("minimum", toExpression(a), toExpression(b));
}

/** `then` where a > b, otherwise `otherwise`; no derivative with respect to a or b. */
export function select(
  condition: { greater: readonly [a: Operand, b: Operand] },
  branches: { then: Operand; otherwise: Operand },
): Expression {
  const [a, b] = condition.greater;
  const [then, otherwise] = [toExpression(branches.then), toExpression(branches.otherwise)];
  if (isConstant(then) && isConstant(otherwise) && then.value === otherwise.value) return then;
  return operation("select", toExpression(a), toExpression(b), then, otherwise);
}

/** x, taken as a constant by derivatives. */
export function detach(x: Operand): Expression {
  return operation("detach", toExpression(x));
}

/** Every variable that `expressions` read, in order of first use. */
export function variablesOf(expressions: readonly Expression[]): Set<Variable> {
  const seen = new Set<Expression>();
  const variables = new Set<Variable>();
  const visit = (expression: Expression): void => {
    if (seen.has(expression)) return;
    seen.add(expression);
    if (expression.kind === "variable") variables.add(expression);
    if (expression.kind === "operation") expression.operands.forEach(visit);
  };
  expressions.forEach(visit);
  return variables;
}

function operation(operator: Operator, ...operands: Expression[]): Operation {
  return { kind: "operation", operator, operands };
}

function toExpression(operand: Operand): Expression {
  return typeof operand === "number" ? constant(operand) : operand;
}

function isConstant(expression: Expression): expression is Constant {
  return expression.kind === "constant";
}

function is(expression: Expression, value: number): boolean {
  return expression.kind === "constant" && expression.value === value;
}
