import type {
  NumberArray,
  PairedLossResult,
  PolicyLogProbs,
  UnpairedLogProbs,
  UnpairedLossResult,
} from "./batch.ts";
import { type LossColumns, pairedColumns, unpairedColumns } from "./columns.ts";
import type { Loss, RecordField } from "./definition.ts";
import { type LossPlan, planLoss, recordFields } from "./plan.ts";
import { runTape, type TapeRun } from "./tape.ts";

/** Where a field of a record is found in a batch; for error messages. */
const placeOfField: Readonly<Record<RecordField, string>> = {
  policyChosen: "policy",
  policyRejected: "policy.rejected",
  referenceChosen: "reference",
  referenceRejected: "reference.rejected",
  lengthChosen: "lengths",
  lengthRejected: "lengths",
  label: "labels",
  margin: "margins",
  logWeightChosen: "logWeights",
  logWeightRejected: "logWeights",
};

/**
 * Evaluates any loss over pairs, with its gradient, in float64 on the host.
 *
 * @param batch Summed log-probs of the policy and, if the loss compares with one, of the reference; one number a pair.
 * @param loss A definition, such as `dpo({ beta: 0.1 })` or `combine([…])`.
 * @throws {Error} If the loss is for unpaired records, or needs something that the batch lacks.
 * @throws {RangeError} If the batch is empty, its arrays differ in length, or a number is not finite.
 */
export function evaluatePaired(batch: PolicyLogProbs, loss: Loss): PairedLossResult {
  checkKind(loss, "paired");
  return evaluatePlan(planLoss(loss), pairedColumns(batch, loss));
}

/**
 * Evaluates any loss over unpaired records, with its gradient, in float64 on the host.
 *
 * @param batch Summed log-probs of policy and reference and labels, one number a record.
 * @param loss A definition, such as `kto({ beta: 0.1 })`.
 * @throws {Error} If the loss is for pairs, or needs something that the batch lacks.
 * @throws {RangeError} If the batch is empty, its arrays differ in length, or a number is not finite.
 */
export function evaluateUnpaired(batch: UnpairedLogProbs, loss: Loss): UnpairedLossResult {
  checkKind(loss, "unpaired");
  const { rewards, gradients, ...result } = evaluatePlan(planLoss(loss), unpairedColumns(batch, loss));
  return { ...result, rewards: { completion: rewards.chosen }, gradients: { completion: gradients.chosen } };
}

/** Runs a plan over columns; for unpaired losses the completion's numbers are the chosen ones. */
export function evaluatePlan(plan: LossPlan, columns: LossColumns): PairedLossResult {
  const { statistics } = plan.loss;
  const { records, mismatched = {} } = columns;
  const count = checkedCount(plan, columns);

  const means = {
    records: runTape(plan.terms.value, { inputs: fieldInputs(records), count }).map(average),
    mismatched: runTape(plan.terms.value, { inputs: fieldInputs(mismatched), count }).map(average),
  };
  const statisticValues = plan.statistics.map(({ value, slope }, index) => {
    const inputs = [means[statistics[index]!.source][index]!];
    const [values, slopes] = [value, slope].map((tape) => runTape(tape, { inputs, count: 1 })[0]!);
    return { value: values![0]!, slope: slopes![0]! };
  });

  // Shares times the number of records, so that each loss is that of its record and the batch's loss is their mean.
  const tokenShare = plan.usesTokenShare ? count / sum(records.lengthChosen!) : 0;
  const matched = matchRecords(plan, { inputs: fieldInputs(records), count });
  const inputs = [
    ...fieldInputs(records),
    1,
    tokenShare,
    ...statisticValues.map(({ value }) => value),
    ...matched.map(({ values }) => values),
  ];
  const [losses, chosen, rejected, chosenRewards, rejectedRewards, curvatures, ...batchGradients] = runTape(
    plan.value,
    { inputs, count },
  );

  // What each record changes in all the others' losses, through the statistics.
  const termsByChosen = runTape(plan.terms.byChosen, { inputs: fieldInputs(records), count });
  const termsByRejected = runTape(plan.terms.byRejected, { inputs: fieldInputs(records), count });
  statisticValues.forEach(({ slope }, index) => {
    const factor = slope * average(batchGradients[index]!);
    for (let i = 0; i < count; i++) {
      chosen![i]! += factor * termsByChosen[index]![i]!;
      rejected![i]! += factor * termsByRejected[index]![i]!;
    }
  });
  matched.forEach(({ from, byChosen, byRejected }, index) => {
    const gradients = batchGradients[statistics.length + index]!;
    from.forEach((giver, i) => {
      chosen![giver]! += gradients[i]! * byChosen[giver]!;
      rejected![giver]! += gradients[i]! * byRejected[giver]!;
    });
  });
  return {
    loss: average(losses!),
    losses: losses!,
    rewards: { chosen: chosenRewards!, rejected: rejectedRewards! },
    gradients: {
      chosen: chosen!.map((value) => value / count),
      rejected: rejected!.map((value) => value / count),
    },
    curvature: average(curvatures!),
    statistics: Object.fromEntries(
      statistics.map(({ name }, index) => [name, statisticValues[index]!.value]),
    ),
  };
}

/**
 * For each matching: from which record each one gets its number, the numbers, and their derivatives where they
 * come from.
 */
function matchRecords({ matchings }: LossPlan, run: TapeRun) {
  const [ranked, given, byChosen, byRejected] = [
    matchings.of,
    matchings.with,
    matchings.byChosen,
    matchings.byRejected,
  ].map((tape) => runTape(tape, run)) as [Float64Array[], Float64Array[], Float64Array[], Float64Array[]];
  return ranked.map((of, index) => {
    const takers = ascending(of), givers = ascending(given[index]!);
    const from = new Uint32Array(run.count);
    takers.forEach((taker, rank) => from[taker] = givers[rank]!);
    const values = Float64Array.from(from, (giver) => given[index]![giver]!);
    return { from, values, byChosen: byChosen[index]!, byRejected: byRejected[index]! };
  });
}

/** Indices of the numbers from the least to the greatest; equal ones in order of their places. */
function ascending(values: Float64Array): number[] {
  return Array.from(values, (_, index) => index).sort((a, b) => values[a]! - values[b]! || a - b);
}

function fieldInputs(fields: LossColumns["records"]): (NumberArray | number)[] {
  return recordFields.map((field) => fields[field] ?? 0);
}

/** The number of records; throws if the plan needs something else than what is given. */
function checkedCount({ loss, fields }: LossPlan, { records, mismatched }: LossColumns): number {
  const count = records.policyChosen?.length ?? 0;
  if (count === 0) throw new RangeError(`${loss.name}: the batch is empty; give at least one record`);
  for (const field of fields) {
    if (records[field] === undefined) {
      throw new Error(`${loss.name}: needs ${placeOfField[field]}, which the batch lacks`);
    }
  }
  const needsMismatched = loss.statistics.find(({ source }) => source === "mismatched");
  if (needsMismatched === undefined) return count;
  if (count < 2) {
    throw new RangeError(
      `${loss.name}: ${needsMismatched.name} pairs each prompt with another record's completion, and a batch of one has ` +
        `no other; give at least 2 records`,
    );
  }
  if (mismatched?.policyChosen?.length !== count) {
    throw new RangeError(
      `${loss.name}: ${needsMismatched.name} needs mismatched.policy and mismatched.reference with ${count} numbers, ` +
        `one a record, got ${mismatched?.policyChosen?.length ?? "none"}`,
    );
  }
  return count;
}

function checkKind(loss: Loss, kind: Loss["kind"]): void {
  if (loss.kind === kind) return;
  const other = loss.kind === "paired" ? "evaluatePaired" : "evaluateUnpaired";
  throw new Error(`${loss.name}: a loss for ${loss.kind} records, given ${kind} ones; call ${other}`);
}

function sum(values: NumberArray): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function average(values: NumberArray): number {
  return sum(values) / values.length;
}
