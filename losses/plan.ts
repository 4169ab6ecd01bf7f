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

/** How many statistics, and how many matchings, a loss may read: the components of a `vec4f`. */
export const MAXIMUM_BATCH_VALUES = 4;

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
   * Reads the record's fields, its record share, its token share, then the statistics, then the matched
   * numbers. Outputs: the share of the loss, its derivatives by policyChosen and policyRejected, the two
   * rewards, the curvature, then its derivative by each statistic (0 if detached) and by each matched number.
   */
  readonly value: Tape;
  /** Read the record's fields; one output a statistic: its term, and the term's two derivatives. */
  readonly terms: { readonly value: Tape; readonly byChosen: Tape; readonly byRejected: Tape };
  /** One a statistic; read the mean of its term and give the statistic, and its derivative by that mean. */
  readonly statistics: readonly { readonly value: Tape; readonly slope: Tape }[];
  /**
   * Read the record's fields; one output a matching: what is ranked, what is given, and the latter's two
   * derivatives.
   */
  readonly matchings: {
    readonly of: Tape;
    readonly with: Tape;
    readonly byChosen: Tape;
    readonly byRejected: Tape;
  };
}

/** Derives everything that is computed from a loss's formula; throws if the formula doesn't fit the loss's kind. */
export function planLoss(loss: Loss): LossPlan {
  checkStatistics(loss);
  const policy = [record.policyChosen, record.policyRejected];
  const statistics = loss.statistics.map((statistic) => statistic.value);
  const total = loss.terms.map(shareOfTerm).reduce((sum, term) => add(sum, term), constant(0));
  const matched = loss.matchings.map((matching) => matching.value);
  const [byChosen, byRejected, ...byBatch] = derivatives(total, [...policy, ...statistics, ...matched]);
  const valueOutputs = [
    total,
    byChosen!,
    byRejected!,
    loss.rewards?.chosen ?? constant(0),
    loss.rewards?.rejected ?? constant(0),
    loss.margin === null ? constant(0) : multiply(sigmoid(loss.margin), sigmoid(negate(loss.margin))),
    ...loss.statistics.map(({ detached }, index) => detached ? constant(0) : byBatch[index]!),
    ...byBatch.slice(statistics.length),
  ];
  const terms = loss.statistics.map(({ term }) => term);
  const ranked = loss.matchings.map(({ of }) => of);
  const given = loss.matchings.map((matching) => matching.with);

  const read = variablesOf([...valueOutputs, ...terms, ...ranked, ...given]);
  checkVariables(loss, read);
  const usesTokenShare = read.has(tokenShare);
  const fields = new Set(recordFields.filter((field) => read.has(record[field])));
  if (usesTokenShare) fields.add("lengthChosen");
  return {
    loss,
    fields,
    usesTokenShare,
    value: compileTape(valueOutputs, [
      ...recordVariables,
      recordShare,
      tokenShare,
      ...statistics,
      ...matched,
    ]),
    terms: { value: compileTape(terms, recordVariables), ...policyDerivatives(terms) },
    statistics: loss.statistics.map(({ then }) => ({
      value: compileTape([then], [batchMean]),
      slope: compileTape(derivatives(then, [batchMean]), [batchMean]),
    })),
    matchings: {
      of: compileTape(ranked, recordVariables),
      with: compileTape(given, recordVariables),
      ...policyDerivatives(given),
    },
  };
}

/** Tapes for the derivatives of expressions over a record by its two policy log-probs. */
function policyDerivatives(expressions: readonly Expression[]): { byChosen: Tape; byRejected: Tape } {
  const by = (field: RecordField) =>
    compileTape(expressions.map((term) => derivatives(term, [record[field]])[0]!), recordVariables);
  return { byChosen: by("policyChosen"), byRejected: by("policyRejected") };
}

function shareOfTerm({ expression, weight, per }: Loss["terms"][number]): Expression {
  return multiply(per === "record" ? recordShare : tokenShare, multiply(weight, expression));
}

function checkStatistics({ name, statistics, matchings }: Loss): void {
  for (const [what, { length }] of [["statistics", statistics], ["rank matchings", matchings]] as const) {
    if (length > MAXIMUM_BATCH_VALUES) {
      throw new RangeError(`${name}: ${length} batch-wide ${what}, at most ${MAXIMUM_BATCH_VALUES} fit`);
    }
  }
  for (const { name: statistic, source, term } of statistics) {
    const extra = [...variablesOf([term])].find((field) => !mismatchedFields.includes(field));
    if (source === "mismatched" && extra !== undefined) {
      throw new Error(`${name}: ${statistic} reads ${extra.name}, which mismatched sequences do not have`);
    }
  }
}

function checkVariables({ name, kind, statistics, matchings }: Loss, read: ReadonlySet<Variable>): void {
  const known = new Set<Variable>([
    ...fieldsOfKind[kind].map((field) => record[field]),
    ...statistics.map((statistic) => statistic.value),
    ...matchings.map((matching) => matching.value),
    recordShare,
    tokenShare,
  ]);
  const unknown = [...read].find((variable) => !known.has(variable));
  if (unknown !== undefined) {
    throw new Error(
      `${name}: reads ${unknown.name}, neither a field of ${kind} records nor one of its statistics or matchings`,
    );
  }
}
