import { add, constant, type Expression, type Variable } from "./expression.ts";
import { operatorRules } from "./operators.ts";

/**
 * Differentiates `expression` with respect to each of `variables`, by one reverse sweep.
 *
 * The results are expressions again, made of the same numerically stable operators. A variable that the expression
 * does not read has derivative 0.
 */
export function derivatives(expression: Expression, variables: readonly Variable[]): Expression[] {
  const adjoints = new Map<Expression, Expression>([[expression, constant(1)]]);
  for (const node of topologicalOrder(expression).reverse()) {
    const adjoint = adjoints.get(node);
    if (node.kind !== "operation" || adjoint === undefined) continue;
    operatorRules[node.operator].adjoints(adjoint, node.operands, node).forEach((gain, index) => {
      const operand = node.operands[index]!;
      if (gain !== null) adjoints.set(operand, add(adjoints.get(operand) ?? constant(0), gain));
    });
  }
  return variables.map((variable) => adjoints.get(variable) ?? constant(0));
}

/** Every node below `expression`, operands before the operations that use them. */
function topologicalOrder(expression: Expression): Expression[] {
  const order = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (order.has(node)) return;
    if (node.kind === "operation") node.operands.forEach(visit);
    order.add(node);
  };
  visit(expression);
  return [...order];
}
