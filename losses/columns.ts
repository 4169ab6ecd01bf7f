import type { NumberArray, PolicyLogProbs, UnpairedLogProbs } from "./batch.ts";
import type { Loss, RecordField } from "./definition.ts";

/** A batch as one array a field; mismatched sequences as their own set of fields. */
export interface LossColumns {
  /** Each field that is given, one number a record. */
  readonly records: Readonly<Partial<Record<RecordField, NumberArray>>>;
  /** The fields of the mismatched sequences, for losses with a statistic over them. */
  readonly mismatched?: Readonly<Partial<Record<RecordField, NumberArray>>>;
}

interface NamedColumn {
  readonly field: RecordField;
  /** How the caller knows the array. */
  readonly name: string;
  readonly values: NumberArray | undefined;
}

/** Turns a batch of pairs into columns; throws if lengths differ or a number cannot be what it should be. */
export function pairedColumns(batch: PolicyLogProbs, { name }: Loss): LossColumns {
  const { policy, reference, lengths, margins, logWeights } = batch;
  const columns: NamedColumn[] = [
    { field: "policyChosen", name: "policy.chosen", values: policy.chosen },
    { field: "policyRejected", name: "policy.rejected", values: policy.rejected },
    { field: "referenceChosen", name: "reference.chosen", values: reference?.chosen },
    { field: "referenceRejected", name: "reference.rejected", values: reference?.rejected },
    { field: "lengthChosen", name: "lengths.chosen", values: lengths?.chosen },
    { field: "lengthRejected", name: "lengths.rejected", values: lengths?.rejected },
    { field: "margin", name: "margins", values: margins },
    { field: "logWeightChosen", name: "logWeights.chosen", values: logWeights?.chosen },
    { field: "logWeightRejected", name: "logWeights.rejected", values: logWeights?.rejected },
  ];
  return { records: checkedColumns(columns, name) };
}

/** Turns a batch of single completions into columns; throws if lengths differ or a number cannot be what it should be. */
export function unpairedColumns(batch: UnpairedLogProbs, { name }: Loss): LossColumns {
  const { policy, reference, labels, mismatched, lengths } = batch;
  const records = checkedColumns([
    { field: "policyChosen", name: "policy.completion", values: policy.completion },
    { field: "referenceChosen", name: "reference.completion", values: reference.completion },
    { field: "label", name: "labels", values: Array.from<number | boolean, number>(labels, Number) },
    { field: "lengthChosen", name: "lengths.completion", values: lengths?.completion },
  ], name);
  if (mismatched === undefined) return { records };
  const columns: NamedColumn[] = [
    { field: "policyChosen", name: "mismatched.policy", values: mismatched.policy },
    { field: "referenceChosen", name: "mismatched.reference", values: mismatched.reference },
  ];
  return { records, mismatched: checkedColumns(columns, name) };
}

function checkedColumns(columns: readonly NamedColumn[], lossName: string): LossColumns["records"] {
  const [first] = columns;
  const given: Partial<Record<RecordField, NumberArray>> = {};
  for (const { field, name, values } of columns) {
    if (values === undefined) continue;
    if (values.length !== first!.values!.length) {
      throw new RangeError(
        `${lossName}: ${first!.name} has ${
          first!.values!.length
        } numbers and ${name} has ${values.length}; ` +
          `give one a record in each`,
      );
    }
    checkValues(field, values, `${lossName}: ${name}`);
    given[field] = values;
  }
  return given;
}

function checkValues(field: RecordField, values: NumberArray, where: string): void {
  const isLabel = field === "label";
  const isLength = field === "lengthChosen" || field === "lengthRejected";
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (isLabel && value !== 0 && value !== 1) {
      throw new RangeError(`${where}[${index}] is ${value}; a label is 1 (desirable) or 0 (undesirable)`);
    }
    if (isLength && !(value >= 1 && Number.isInteger(value))) {
      throw new RangeError(
        `${where}[${index}] is ${value}; a completion has a whole number of tokens, at least 1`,
      );
    }
    if (!Number.isFinite(value)) {
      throw new RangeError(
        `${where}[${index}] is ${value}; look for a completion without tokens or an overflow in the model's forward pass`,
      );
    }
  }
}
