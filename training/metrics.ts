/** The metrics of a batch, under the names that the field uses. */
import type { LossColumns } from "../losses/columns.ts";
import type { CompiledLoss } from "../losses/compile.ts";
import type { PreferenceLossFunction } from "../losses/batch.ts";

/** Log-probs of a batch as they came from the device; sequences as the engine orders them. */
export interface BatchLogProbs {
  /** Summed log-probs under the policy. */
  readonly policy: Float32Array;
  /** Under the current reference; absent for losses without one. */
  readonly reference?: Float32Array;
  /** Under the initial reference, where it was measured. */
  readonly initial?: Float32Array;
  /** Σ KL(policy ‖ reference) over each completion's positions, where it was measured. */
  readonly referenceDivergence?: Float32Array;
  /** The same against the initial reference. */
  readonly initialDivergence?: Float32Array;
  /** Completion tokens. */
  readonly lengths: Float32Array;
  /** Labels of unpaired records. */
  readonly labels: Float32Array;
  /** Margins of pairs, if all records have one. */
  readonly margins?: Float32Array;
  /** Σ of log p(token) − log Σ_v p(v)² over each completion under the policy, for losses that weigh records. */
  readonly logWeights?: Float32Array;
  /** Log-probs of mismatched sequences, for losses that need them. */
  readonly mismatched?: { readonly policy: Float32Array; readonly reference: Float32Array };
}

/** Metrics by name. */
export type Metrics = Record<string, number>;

/** Completions in a record: a pair has two. */
export type SequencesPerRecord = 1 | 2;

/** A loss of the library, or a user's own. */
export type TrainingLoss = CompiledLoss | PreferenceLossFunction;

/** What a loss says of a batch. */
interface Evaluated {
  loss: number;
  losses: ArrayLike<number>;
  rewards: { chosen: ArrayLike<number>; rejected: ArrayLike<number> };
  gradients: { chosen: ArrayLike<number>; rejected: ArrayLike<number> };
  curvature?: number;
  statistics?: Readonly<Record<string, number>>;
}

/** Splits sequences into the chosen ones and the rejected ones; single completions count as chosen. */
export function splitSequences(values: Float32Array, sequencesPerRecord: SequencesPerRecord) {
  if (sequencesPerRecord === 1) return { chosen: values, rejected: undefined };
  return {
    chosen: values.filter((_, i) => i % 2 === 0),
    rejected: values.filter((_, i) => i % 2 === 1),
  };
}

/** The columns of a batch as the losses take them, with `against` as the reference. */
export function lossColumns(
  batch: BatchLogProbs,
  options: { sequencesPerRecord: SequencesPerRecord; against: Float32Array | undefined },
): LossColumns {
  const { sequencesPerRecord, against } = options;
  const policy = splitSequences(batch.policy, sequencesPerRecord);
  const lengths = splitSequences(batch.lengths, sequencesPerRecord);
  const reference = against === undefined ? undefined : splitSequences(against, sequencesPerRecord);
  const { mismatched, margins } = batch;
  const logWeights = batch.logWeights === undefined
    ? undefined
    : splitSequences(batch.logWeights.map((sum, i) => sum / batch.lengths[i]!), sequencesPerRecord);
  return {
    records: {
      policyChosen: policy.chosen,
      lengthChosen: lengths.chosen,
      label: batch.labels,
      ...(margins ? { margin: margins } : {}),
      ...(logWeights?.rejected
        ? { logWeightChosen: logWeights.chosen, logWeightRejected: logWeights.rejected }
        : {}),
      ...(policy.rejected ? { policyRejected: policy.rejected, lengthRejected: lengths.rejected! } : {}),
      ...(reference ? { referenceChosen: reference.chosen } : {}),
      ...(reference?.rejected ? { referenceRejected: reference.rejected } : {}),
    },
    ...(mismatched
      ? { mismatched: { policyChosen: mismatched.policy, referenceChosen: mismatched.reference } }
      : {}),
  };
}

/**
 * Runs a loss of either form over a batch, on the host in float64.
 *
 * @throws If a user's own function throws, or returns arrays of another length than the batch's.
 */
export function evaluateLoss(
  loss: TrainingLoss,
  batch: BatchLogProbs,
  options: { sequencesPerRecord: SequencesPerRecord; against: Float32Array | undefined },
): Evaluated {
  const columns = lossColumns(batch, options);
  if (typeof loss !== "function") return loss.evaluate(columns);
  const {
    policyChosen,
    policyRejected,
    referenceChosen,
    referenceRejected,
    lengthChosen,
    lengthRejected,
    margin,
  } = columns.records;
  const result = loss({
    policy: { chosen: policyChosen!, rejected: policyRejected! },
    reference: { chosen: referenceChosen!, rejected: referenceRejected! },
    lengths: { chosen: lengthChosen!, rejected: lengthRejected! },
    ...(margin ? { margins: margin } : {}),
  });
  checkLengths(result, { pairs: policyChosen!.length });
  return result;
}

function checkLengths({ losses, rewards, gradients }: Evaluated, { pairs }: { pairs: number }): void {
  const arrays = {
    "losses": losses,
    "rewards.chosen": rewards.chosen,
    "rewards.rejected": rewards.rejected,
    "gradients.chosen": gradients.chosen,
    "gradients.rejected": gradients.rejected,
  };
  for (const [name, { length }] of Object.entries(arrays)) {
    if (length === pairs) continue;
    throw new Error(
      `The loss function returned ${length} ${name} for ${pairs} pairs; return one number a pair`,
    );
  }
}

/**
 * The metrics of a preference batch.
 *
 * `rewards/…` are measured against the current reference, `rewards_initial/…` against the one that training started
 * from. `kl/reference` and `kl/initial` are Σ KL(π(·|x, y₁…) ‖ π_ref(·|x, y₁…)) over the positions of a completion, exact over
 * the vocabulary, in nats, averaged over the batch's completions: the divergence along the data's completions, not along
 * the policy's own.
 */
export function preferenceMetrics(
  loss: TrainingLoss,
  batch: BatchLogProbs,
  { sequencesPerRecord }: { sequencesPerRecord: SequencesPerRecord },
): Metrics {
  const { reference, initial, referenceDivergence, initialDivergence } = batch;
  const evaluated = evaluateLoss(loss, batch, { sequencesPerRecord, against: reference });
  const groups = groupCompletions(batch, sequencesPerRecord);
  // Demonstrations are compared with nothing.
  const compares = reference !== undefined || sequencesPerRecord === 2;
  const metrics: Metrics = compares
    ? rewardMetrics("rewards", evaluated.rewards, batch, sequencesPerRecord)
    : {};
  if (initial !== undefined) {
    const { rewards } = evaluateLoss(loss, batch, { sequencesPerRecord, against: initial });
    Object.assign(metrics, rewardMetrics("rewards_initial", rewards, batch, sequencesPerRecord));
  }
  for (const [name, members] of Object.entries(groups)) {
    if (members.length > 0) metrics[`logps/${name}`] = mean(members.map((i) => batch.policy[i]!));
  }
  if (referenceDivergence !== undefined) metrics["kl/reference"] = mean(referenceDivergence);
  if (initialDivergence !== undefined) metrics["kl/initial"] = mean(initialDivergence);
  if (compares && evaluated.curvature !== undefined) metrics.curvature = evaluated.curvature;
  for (const [name, value] of Object.entries(evaluated.statistics ?? {})) metrics[name] = value;
  for (const [name, members] of Object.entries(groups)) {
    if (members.length > 0) metrics[`length/${name}`] = mean(members.map((i) => batch.lengths[i]!));
  }
  return metrics;
}

/** Indices of the chosen (or desirable) and the rejected (or undesirable) sequences. */
function groupCompletions({ policy, labels }: BatchLogProbs, sequencesPerRecord: SequencesPerRecord) {
  const isChosen = (i: number) => sequencesPerRecord === 2 ? i % 2 === 0 : labels[i] === 1;
  const all = Array.from(policy, (_, i) => i);
  return { chosen: all.filter(isChosen), rejected: all.filter((i) => !isChosen(i)) };
}

function rewardMetrics(
  prefix: string,
  rewards: Evaluated["rewards"],
  batch: BatchLogProbs,
  sequencesPerRecord: SequencesPerRecord,
): Metrics {
  if (sequencesPerRecord === 1) {
    // Without pairs there are no margins within a record: desirable and undesirable completions are compared as groups.
    const { chosen, rejected } = groupCompletions(batch, 1);
    const of = (members: number[]) => members.map((i) => rewards.chosen[i]!);
    return {
      ...(chosen.length > 0 ? { [`${prefix}/chosen`]: mean(of(chosen)) } : {}),
      ...(rejected.length > 0 ? { [`${prefix}/rejected`]: mean(of(rejected)) } : {}),
      ...(chosen.length > 0 && rejected.length > 0
        ? { [`${prefix}/margins`]: mean(of(chosen)) - mean(of(rejected)) }
        : {}),
    };
  }
  const margins = Array.from(rewards.chosen, (value, i) => value - rewards.rejected[i]!);
  return {
    [`${prefix}/chosen`]: mean(rewards.chosen),
    [`${prefix}/rejected`]: mean(rewards.rejected),
    [`${prefix}/margins`]: mean(margins),
    [`${prefix}/accuracies`]: mean(margins.map((margin) => margin > 0 ? 1 : 0)),
  };
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
