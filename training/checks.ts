/** Checks while training: numbers that are not finite, and a first loss that is not what it must be. */
import { type BatchLogProbs, evaluateLoss, type TrainingLoss } from "./metrics.ts";
import type { TrainingExample } from "./records.ts";

/** Largest relative difference between the first loss and the one that policy = reference makes it. */
const FIRST_LOSS_TOLERANCE = 1e-3;

/** Records to name in a message. */
const NAMED = 5;

/**
 * Throws if anything of a step is NaN or infinite, naming the records where it begins.
 *
 * @param step.losses One share a record.
 * @param step.norm The gradient's norm.
 */
export function checkFinite(step: {
  step: number;
  examples: readonly TrainingExample[];
  losses: readonly number[];
  batch: BatchLogProbs;
  norm: number;
}): void {
  const { examples, losses, norm } = step;
  // First the log-probs: a statistic over the batch spreads one record's NaN over the losses of all.
  checkLogProbs(step);
  refuseLosses(step.step, examples.filter((_, i) => !Number.isFinite(losses[i]!)));
  if (!Number.isFinite(norm)) {
    throw new Error(
      `Step ${step.step}: the gradient is not finite (norm ${norm}) though the losses of ${
        describeRecords(examples)
      } are. ` +
        "The step was not applied. Lower the learning rate.",
    );
  }
}

/** Throws if a log-prob of a step is NaN or infinite, naming its record. */
export function checkLogProbs(
  { step, examples, batch }: { step: number; examples: readonly TrainingExample[]; batch: BatchLogProbs },
): void {
  const perRecord = batch.policy.length / examples.length;
  const isFinite = (i: number) => {
    const sequences = Array.from({ length: perRecord }, (_, k) => i * perRecord + k);
    return sequences.flatMap((s) => [batch.policy[s]!, batch.reference?.[s] ?? 0]).every(Number.isFinite);
  };
  refuseLosses(step, examples.filter((_, i) => !isFinite(i)));
}

function refuseLosses(step: number, bad: readonly TrainingExample[]): void {
  if (bad.length === 0) return;
  throw new Error(
    `Step ${step}: the loss is not finite for ${describeRecords(bad)}. The step was not applied. ` +
      "Lower the learning rate, or look at these records.",
  );
}

/**
 * Throws if the first loss differs from the one that equal policy and reference give: ln 2 for DPO, 1/(4β²) for IPO.
 *
 * Such a difference is a mistake in masks, positions or weights, not in the data.
 */
export function checkFirstStep(
  { loss, batch, total, sequencesPerRecord, examples }: {
    loss: TrainingLoss;
    batch: BatchLogProbs;
    total: number;
    sequencesPerRecord: 1 | 2;
    examples: readonly TrainingExample[];
  },
): void {
  const { policy, reference, mismatched } = batch;
  if (reference === undefined) return;
  const equal: BatchLogProbs = {
    ...batch,
    reference: policy,
    ...(mismatched ? { mismatched: { policy: mismatched.policy, reference: mismatched.policy } } : {}),
  };
  const expected = evaluateLoss(loss, equal, { sequencesPerRecord, against: policy }).loss;
  if (Math.abs(total - expected) <= FIRST_LOSS_TOLERANCE * Math.abs(expected)) return;
  let worst = 0;
  policy.forEach((value, i) => {
    if (Math.abs(value - reference[i]!) > Math.abs(policy[worst]! - reference[worst]!)) worst = i;
  });
  const record = describeRecords([examples[Math.floor(worst / sequencesPerRecord)]!]);
  throw new Error(
    `The first loss is ${total}, but with policy and reference still the same model it must be ${expected}. Log-probs ` +
      `differ most for ${record}: ${policy[worst]} under the policy, ${reference[worst]} under the ` +
      "reference. Training was stopped: this points to a mistake in the model's files or in this library.",
  );
}

/** Names records by their lines, and by their files where a run has several. */
export function describeRecords(examples: readonly Pick<TrainingExample, "line" | "file">[]): string {
  // A pair can have become two completions.
  const places = [
    ...new Set(examples.map(({ line, file }) => file === undefined ? `${line}` : `${file}:${line}`)),
  ];
  const more = places.length > NAMED ? ` and ${places.length - NAMED} more` : "";
  const on = examples[0]?.file !== undefined ? "at" : places.length === 1 ? "on line" : "on lines";
  const records = places.length === 1 ? "record" : "records";
  return `the ${records} ${on} ${places.slice(0, NAMED).join(", ")}${more}`;
}
