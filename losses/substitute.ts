import { type Loss, rankMatching, record, type RecordField, statistic } from "./definition.ts";
import { type Expression, variablesOf } from "./expression.ts";

/** Replaces nodes, variables or whole sub-expressions, by others; what they do not reach stays the same node. */
export function substitute(
  expression: Expression,
  replacements: ReadonlyMap<Expression, Expression>,
): Expression {
  const done = new Map<Expression, Expression>();
  const visit = (node: Expression): Expression => {
    const known = replacements.get(node) ?? done.get(node);
    if (known !== undefined) return known;
    if (node.kind !== "operation") return node;
    const operands = node.operands.map(visit);
    const same = operands.every((operand, index) => operand === node.operands[index]);
    const result = same ? node : { ...node, operands };
    done.set(node, result);
    return result;
  };
  return visit(expression);
}

/** Replaces nodes in all that a loss minimizes, and in its reported margin; in its rewards only if asked to. */
export function substituteInLoss(
  loss: Loss,
  given: ReadonlyMap<Expression, Expression>,
  { rewards }: { rewards: boolean },
): Loss {
  const replacements = new Map(given);
  const replace = (expression: Expression) => substitute(expression, replacements);
  // With variables of their own, so that the changed loss can be combined with the one it was made from.
  const statistics = loss.statistics.map((old) => statistic({ ...old, term: replace(old.term) }));
  const matchings = loss.matchings.map((old) =>
    rankMatching({ of: replace(old.of), with: replace(old.with) })
  );
  statistics.forEach(({ value }, index) => replacements.set(loss.statistics[index]!.value, value));
  matchings.forEach(({ value }, index) => replacements.set(loss.matchings[index]!.value, value));
  return {
    ...loss,
    terms: loss.terms.map((term) => ({ ...term, expression: replace(term.expression) })),
    statistics,
    matchings,
    rewards: loss.rewards !== null && rewards
      ? { chosen: replace(loss.rewards.chosen), rejected: replace(loss.rewards.rejected) }
      : loss.rewards,
    margin: loss.margin === null ? null : replace(loss.margin),
  };
}

/** All expressions over a record from which a loss's value is computed. */
export function recordExpressions({ terms, statistics, matchings }: Loss): Expression[] {
  return [
    ...terms.map(({ expression }) => expression),
    ...statistics.map(({ term }) => term),
    ...matchings.flatMap((matching) => [matching.of, matching.with]),
  ];
}

/** Whether a loss's value depends on any of the fields. */
export function readsAny(loss: Loss, fields: readonly RecordField[]): boolean {
  const read = variablesOf(recordExpressions(loss));
  return fields.some((field) => read.has(record[field]));
}

/** Throws unless the loss is for pairs; `modifier` is who asks. */
export function requirePairs(loss: Loss, modifier: string): void {
  if (loss.kind === "paired") return;
  throw new Error(`${modifier}: ${loss.name} is for single completions; give a loss over pairs`);
}

/** Throws if the loss has a term over tokens, such as sft's; `modifier` is who asks. */
export function refuseTokenTerms(loss: Loss, modifier: string): void {
  if (loss.terms.every(({ per }) => per === "record")) return;
  throw new Error(
    `${modifier}: ${loss.name} has a cross-entropy over tokens, which this does not fit; change the other losses first, ` +
      `then combine them with sft`,
  );
}
