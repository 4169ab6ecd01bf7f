import { batchMean, type Loss, type LossKind, record, type RecordField } from "./definition.ts";
import { derivatives } from "./derivative.ts";
import {
  add,
  constant,
  type Expression,
  multiply,
  negate,
  sigmoid,
  type Variable,
  variable,
  variablesOf,
} from "./expression.ts";
import { compileTape, type Tape } from "./tape.ts";

/** How many statistics a loss may read: the components of a `vec4f`. */
export const MAXIMUM_STATISTICS = 4;

/** The fields of a record in the order in which tapes take them. */
export const recordFields: readonly RecordField[] = Object.keys(record) as RecordField[];

/** Fields that a record of each kind has. */
const fieldsOfKind: Readonly<Record<LossKind, readonly RecordField[]>> = {
  paired: recordFields.filter((field) => field !== "label"),
  unpaired: ["policyChosen", "referenceChosen", "lengthChosen", "label"],
};

/** The variables that the tapes over a record begin with. */
const recordVariables: readonly Variable[] = recordFields.map((field) => record[field]);

/** Variables that a statistic over mismatched sequences may read. */
const mismatchedFields: readonly Variable[] = [record.policyChosen, record.referenceChosen];

/** 1 / number of records in the whole optimizer step. */
const recordShare = variable("recordShare");
/** 1 / number of tokens of the step's chosen completions. */
const tokenShare = variable("tokenShare");

/** A loss as straight-line code: what one record contributes, forward and backward. */
export interface LossPlan {
  readonly loss: Loss;
  /** Record fields that must be given. */
  readonly fields: ReadonlySet<RecordField>;
  /** Whether a term is divided by the number of tokens. */
  readonly usesTokenShare: boolean;
  /**
   * Reads the record's fields, its record share, its token share, then the statistics. Outputs: the share of the
   * loss, its derivatives by policyChosen and policyRejected, the two rewards, the curvature, then its derivative by
   * each statistic (0 if detached).
   */
  readonly value: Tape;
  /** Read the record's fields; one output a statistic: its term, and the term's two derivatives. */
  readonly terms: { readonly value: Tape; readonly byChosen: Tape; readonly byRejected: Tape };
  /** One a statistic; read the mean of its term and give the statistic, and its derivative by that mean. */
  readonly statistics: readonly { readonly value: Tape; readonly slope: Tape }[];
}

/** Derives everything that is computed from a loss's formula; throws if the formula doesn't fit the loss's kind. */
export function planLoss(loss: Loss): LossPlan {
  checkStatistics(loss);
  const policy = [record.policyChosen, record.policyRejected];
  const statistics = loss.statistics.map((statistic) => statistic.value);
  const total = loss.terms.map(shareOfTerm).reduce((sum, term) => add(sum, term), constant(0));
  const [byChosen, byRejected, ...byStatistic] = derivatives(total, [...policy, ...statistics]);
  const valueOutputs = [
    total,
    byChosen!,
    byRejected!,
    loss.rewards?.chosen ?? constant(0),
    loss.rewards?.rejected ?? constant(0),
    loss.margin === null ? constant(0) : multiply(sigmoid(loss.margin), sigmoid(negate(loss.margin))),
    ...loss.statistics.map(({ detached }, index) => detached ? constant(0) : byStatistic[index]!),
  ];
  const terms = loss.statistics.map(({ term }) => term);
  const termDerivatives = terms.map((term) => derivatives(term, policy));

  const read = variablesOf([...valueOutputs, ...terms]);
  checkVariables(loss, read);
  const usesTokenShare = read.has(tokenShare);
  const fields = new Set(recordFields.filter((field) => read.has(record[field])));
  if (usesTokenShare) fields.add("lengthChosen");
  return {
    loss,
    fields,
    usesTokenShare,
    value: compileTape(valueOutputs, [...recordVariables, recordShare, tokenShare, ...statistics]),
    terms: {
      value: compileTape(terms, recordVariables),
      byChosen: compileTape(termDerivatives.map(([first]) => first!), recordVariables),
      byRejected: compileTape(termDerivatives.map(([, second]) => second!), recordVariables),
    },
    statistics: loss.statistics.map(({ then }) => ({
      value: compileTape([then], [batchMean]),
      slope: compileTape(derivatives(then, [batchMean]), [batchMean]),
    })),
  };
}

function shareOfTerm({ expression, weight, per }: Loss["terms"][number]): Expression {
  return multiply(per === "record" ? recordShare : tokenShare, multiply(weight, expression));
}

function checkStatistics({ name, statistics }: Loss): void {
  if (statistics.length > MAXIMUM_STATISTICS) {
    throw new RangeError(
      `${name}: ${statistics.length} batch-wide statistics, at most ${MAXIMUM_STATISTICS} fit`,
    );
  }
  for (const { name: statistic, source, term } of statistics) {
    const extra = [...variablesOf([term])].find((field) => !mismatchedFields.includes(field));
    if (source === "mismatched" && extra !== undefined) {
      throw new Error(`${name}: ${statistic} reads ${extra.name}, which mismatched sequences do not have`);
    }
  }
}

function checkVariables({ name, kind, statistics }: Loss, read: ReadonlySet<Variable>): void {
  const known = new Set<Variable>([
    ...fieldsOfKind[kind].map((field) => record[field]),
    ...statistics.map((statistic) => statistic.value),
    recordShare,
    tokenShare,
  ]);
  const unknown = [...read].find((variable) => !known.has(variable));
  if (unknown !== undefined) {
    throw new Error(
      `${name}: reads ${unknown.name}, neither a field of ${kind} records nor one of its statistics`,
    );
  }
}
