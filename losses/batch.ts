/** Numbers in a typed array or a plain one; computed with in float64. */
export type NumberArray = Float32Array | Float64Array | readonly number[];

/** The same quantity for the chosen and for the rejected completion of each pair. */
export interface ChosenRejected<Values = NumberArray> {
  /** One number a pair. */
  readonly chosen: Values;
  /** One number a pair, in the same order. */
  readonly rejected: Values;
}

/** A batch of pairs, as losses without a reference take it; all arrays have one number a pair. */
export interface PolicyLogProbs {
  /** Log-probs under the policy, each summed over the completion's tokens (prompt and padding masked). */
  readonly policy: ChosenRejected;
  /** The same under the reference; not read by losses that compare with none. */
  readonly reference?: ChosenRejected;
  /** Completion lengths in tokens; needed by losses that average over tokens, not read by the others. */
  readonly lengths?: ChosenRejected;
  /**
   * A number from the data for each pair, such as the difference of two ratings; read by {@linkcode margin}
   * alone.
   */
  readonly margins?: NumberArray;
  /**
   * Mean over each completion's tokens of log p(token) − log Σ_v p(v)² under the policy; read by losses that
   * {@linkcode wpo} weighs.
   */
  readonly logWeights?: ChosenRejected;
}

/** A batch of pairs, as the losses that compare with a reference take it; all arrays have one number a pair. */
export interface PairedLogProbs extends PolicyLogProbs {
  /** Log-probs under the reference, summed like the policy's. */
  readonly reference: ChosenRejected;
}

/** A batch of single completions, as the losses over unpaired records take it; all arrays have one number a record. */
export interface UnpairedLogProbs {
  /** Log-probs under the policy, each summed over the completion's tokens. */
  readonly policy: { readonly completion: NumberArray };
  /** The same under the reference. */
  readonly reference: { readonly completion: NumberArray };
  /** 1 or true for a desirable completion, 0 or false for an undesirable one. */
  readonly labels: NumberArray | readonly boolean[];
  /** Summed log-probs of completion i − 1 after prompt i, under policy and reference: what KTO's z₀ is taken over. */
  readonly mismatched?: { readonly policy: NumberArray; readonly reference: NumberArray };
  /** Completion lengths in tokens; needed by losses that average over tokens, not read by the others. */
  readonly lengths?: { readonly completion: NumberArray };
}

/** What every loss over a batch returns. */
export interface LossResult<Values> {
  /** The loss of the batch: the mean of `losses`. */
  readonly loss: number;
  /** One loss a pair or record. */
  readonly losses: Float64Array;
  /** Implicit rewards: β times the score that the loss compares, usually log policy − log reference. No gradient. */
  readonly rewards: Values;
  /** Derivative of `loss` (the mean is included) by each policy log-prob. */
  readonly gradients: Values;
  /** Mean of σ(z) σ(−z), z being the reward margin: near 0.25 the loss still learns, near 0 it is saturated. */
  readonly curvature: number;
  /** Batch-wide numbers that entered the loss, by name, such as KTO's z0; empty for most losses. */
  readonly statistics: Readonly<Record<string, number>>;
}

/** Result of a loss over pairs. */
export type PairedLossResult = LossResult<ChosenRejected<Float64Array>>;

/** Result of a loss over unpaired records. */
export type UnpairedLossResult = LossResult<{ readonly completion: Float64Array }>;

/** A batch as training hands it to a {@linkcode PreferenceLossFunction}: reference and lengths are always there. */
export interface PreferenceBatch extends PairedLogProbs {
  /** Completion lengths in tokens. */
  readonly lengths: ChosenRejected;
  /** A number from the data for each pair; there if all records of the batch have one. */
  readonly margins?: NumberArray;
}

/**
 * A loss over pairs as a plain function: the form for a loss of one's own, which the losses here fit once their options
 * are given.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { dpoLoss, type PreferenceLossFunction } from "@tr/align/losses";
 *
 * const dpo: PreferenceLossFunction = (batch) => dpoLoss(batch, { beta: 0.1 });
 * const logProbs = { chosen: [-5], rejected: [-6] };
 * const lengths = { chosen: [3], rejected: [4] };
 * assertAlmostEquals(dpo({ policy: logProbs, reference: logProbs, lengths }).loss, Math.LN2);
 * ```
 */
export type PreferenceLossFunction = (batch: PreferenceBatch) => PreferenceLossFunctionResult;

/** What a {@linkcode PreferenceLossFunction} returns: a {@linkcode PairedLossResult}, of which two fields are optional. */
export interface PreferenceLossFunctionResult {
  /** The loss of the batch. */
  readonly loss: number;
  /** One loss a pair. */
  readonly losses: NumberArray;
  /** Implicit rewards, one a pair; zeros if the loss has none. */
  readonly rewards: ChosenRejected;
  /** Derivative of `loss` by each policy log-prob. */
  readonly gradients: ChosenRejected;
  /** Mean of σ(z) σ(−z). */
  readonly curvature?: number;
  /** Batch-wide numbers by name. */
  readonly statistics?: Readonly<Record<string, number>>;
}
