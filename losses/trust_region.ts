import type {
  ChosenRejected,
  NumberArray,
  PairedLogProbs,
  PairedLossResult,
  UnpairedLogProbs,
  UnpairedLossResult,
} from "./batch.ts";
import { dpoLoss, type DpoOptions } from "./dpo.ts";
import { ipoLoss, type IpoOptions } from "./ipo.ts";
import { ktoLoss, type KtoOptions } from "./kto.ts";
import { ktoPairedLoss, type KtoPairedOptions } from "./kto_paired.ts";

/** A batch of pairs in Trust Region training: `reference` is the reference as it is now. */
export interface TrustRegionPairs extends PairedLogProbs {
  /** The same log-probs under the reference as it was before training; gives `rewardsInitial`. */
  readonly initial?: ChosenRejected;
}

/** A batch of single completions in Trust Region training: `reference` is the reference as it is now. */
export interface TrustRegionCompletions extends UnpairedLogProbs {
  /** The same log-probs under the reference as it was before training; gives `rewardsInitial`. */
  readonly initial?: { readonly completion: NumberArray };
}

/** What a Trust Region loss adds to its classical form's result. */
export interface InitialRewards<Values> {
  /**
   * Rewards against the initial reference, there if `initial` was given. Those in `rewards` fall back towards 0 whenever the
   * reference moves; only these show how far training has come.
   */
  readonly rewardsInitial?: Values;
}

/** Result of a Trust Region loss over pairs. */
export type TrustRegionPairedResult = PairedLossResult & InitialRewards<PairedLossResult["rewards"]>;

/** Result of a Trust Region loss over single completions. */
export type TrustRegionUnpairedResult = UnpairedLossResult & InitialRewards<UnpairedLossResult["rewards"]>;

/**
 * Computes the TR-DPO loss of a batch of pairs and its gradient: DPO against a reference that follows the policy.
 *
 * The formula is that of `dpoLoss`. What makes it TR-DPO is outside of any one batch: after an optimizer step in which
 * its strategy says so, the reference takes over part of the policy (θ_ref ← α θ + (1 − α) θ_ref), and the next batch's
 * `reference` comes from that. With a reference that never moves this is plain DPO. Gorbatovski et al., "Learn Your
 * Reference Model for Real Good Alignment", arXiv 2404.09656.
 *
 * @param batch Summed log-probs of the policy and of the moving reference, one number a pair; with `initial` also under
 * the reference that training started from.
 * @throws {RangeError} If an option is out of range, the batch is empty, its arrays differ in length, or a number is
 * not finite.
 *
 * @example A policy over three answers, trained with a softly updated reference
 * ```ts
 * import { assert } from "@std/assert";
 * import { trDpoLoss } from "@tr/align/losses";
 * import { mixReference, soft } from "@tr/align/reference";
 *
 * const logProbs = (logits: Float64Array) => {
 *   const logSum = Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0));
 *   const [chosen, rejected] = logits.map((logit) => logit - logSum);
 *   return { chosen: [chosen!], rejected: [rejected!] };
 * };
 *
 * const policy = new Float64Array(3); // logits of the chosen answer, the rejected one and a third
 * const initial = policy.slice();
 * let reference = policy.slice();
 * const strategy = soft({ alpha: 0.6, every: 8 });
 * const totalSteps = 50;
 * for (let step = 1; step <= totalSteps; step++) {
 *   const { gradients, rewards, rewardsInitial } = trDpoLoss({
 *     policy: logProbs(policy),
 *     reference: logProbs(reference),
 *     initial: logProbs(initial),
 *   }, { beta: 0.5 });
 *   if (step === totalSteps) assert(rewardsInitial!.chosen[0]! > 2 * rewards.chosen[0]!);
 *
 *   // d log p_i / d logit_j = [i = j] − p_j
 *   const [byChosen, byRejected] = [gradients.chosen[0]!, gradients.rejected[0]!];
 *   const probabilities = policy.map((logit) => Math.exp(logit) / policy.reduce((sum, x) => sum + Math.exp(x), 0));
 *   for (let j = 0; j < 3; j++) {
 *     const direct = [byChosen, byRejected, 0][j]!;
 *     policy[j]! -= direct - (byChosen + byRejected) * probabilities[j]!;
 *   }
 *   // after the optimizer's step, never before
 *   reference = mixReference(reference, policy, { alpha: strategy({ step, totalSteps }) });
 * }
 * ```
 */
export function trDpoLoss(batch: TrustRegionPairs, options: DpoOptions): TrustRegionPairedResult {
  return withInitialRewards(dpoLoss, batch, options);
}

/**
 * Computes the TR-IPO loss of a batch of pairs and its gradient: IPO against a reference that follows the policy.
 *
 * The formula is that of `ipoLoss`; it is TR-IPO if the reference is advanced by a strategy after the optimizer's step, as
 * the example of {@linkcode trDpoLoss} shows. Each advance re-opens the target: the margin is drawn to 1 / (2β) beyond the
 * reference as it is now. arXiv 2404.09656.
 *
 * @param batch Summed log-probs of the policy and of the moving reference, one number a pair, `lengths` if
 * `average` is "mean", and `initial` if wanted.
 * @throws {Error} If lengths are needed and missing.
 * @throws {RangeError} If an option is out of range, the batch is empty, its arrays differ in length, or a number is
 * not finite.
 *
 * @example A hard update between two losses of the same batch
 * ```ts
 * import { assert, assertAlmostEquals } from "@std/assert";
 * import { trIpoLoss } from "@tr/align/losses";
 * import { hard, mixReference } from "@tr/align/reference";
 *
 * const policy = new Float64Array([-9, -14]); // this toy's parameters are the log-probs: chosen, rejected
 * const initial = new Float64Array([-10, -11]);
 * const pair = ([chosen, rejected]: Float64Array) => ({ chosen: [chosen!], rejected: [rejected!] });
 * const lossAgainst = (reference: Float64Array) =>
 *   trIpoLoss(
 *     { policy: pair(policy), reference: pair(reference), initial: pair(initial) },
 *     { beta: 0.1, average: "sum" },
 *   );
 * assertAlmostEquals(lossAgainst(initial).loss, 1); // margin 4, target 5
 *
 * const alpha = hard({ every: 64 })({ step: 64, totalSteps: 256 });
 * const after = lossAgainst(mixReference(initial, policy, { alpha }));
 * assertAlmostEquals(after.loss, 25); // margin 0
 * assert(after.rewards.chosen[0] === 0 && after.rewardsInitial!.chosen[0]! > 0);
 * ```
 */
export function trIpoLoss(batch: TrustRegionPairs, options: IpoOptions): TrustRegionPairedResult {
  return withInitialRewards(ipoLoss, batch, options);
}

/**
 * Computes the TR-KTO loss of a batch of labelled completions and its gradient: KTO against a reference that follows
 * the policy.
 *
 * The formula is that of `ktoLoss`; it is TR-KTO if the reference is advanced by a strategy after the optimizer's step, as
 * the example of {@linkcode trDpoLoss} shows. Mismatched sequences too are scored by the moving reference. The paper's
 * experiments (arXiv 2404.09656) use pairs: {@linkcode trKtoPairedLoss}.
 *
 * @param batch Summed log-probs of the policy and of the moving reference, labels and mismatched sequences, one a
 * record, and `initial` if wanted.
 * @throws {RangeError} If an option is out of range, the batch has fewer than 2 records, its arrays differ in length, a
 * label is neither 0 nor 1, or a number is not finite.
 *
 * @example Before and after a soft update
 * ```ts
 * import { assert } from "@std/assert";
 * import { trKtoLoss } from "@tr/align/losses";
 * import { mixReference, soft } from "@tr/align/reference";
 *
 * const policy = [-9, -14]; // this toy's parameters are the log-probs of its two completions
 * const initial = Float64Array.of(-10, -11);
 * const alpha = soft({ alpha: 0.5, every: 4 })({ step: 8, totalSteps: 100 });
 * const moved = mixReference(initial, Float64Array.from(policy), { alpha });
 * const { rewards, rewardsInitial } = trKtoLoss({
 *   policy: { completion: policy },
 *   reference: { completion: moved },
 *   initial: { completion: initial },
 *   labels: [1, 0],
 *   mismatched: { policy: [-30, -31], reference: [-30, -31] },
 * }, { beta: 0.1 });
 * assert(rewards.completion[0]! === rewardsInitial!.completion[0]! / 2);
 * ```
 */
export function trKtoLoss(batch: TrustRegionCompletions, options: KtoOptions): TrustRegionUnpairedResult {
  return withInitialRewards(ktoLoss, batch, options);
}

/**
 * Computes the TR-KTO loss in the paired form of the paper's experiments: `ktoPairedLoss` against a reference that
 * follows the policy.
 *
 * It is TR-KTO if the reference is advanced by a strategy after the optimizer's step, as the example of
 * {@linkcode trDpoLoss} shows. arXiv 2404.09656; the authors' code has `detach: false`.
 *
 * @param batch Summed log-probs of the policy and of the moving reference, one number a pair, and `initial` if wanted.
 * @throws {RangeError} If β is not above 0, the batch is empty, its arrays differ in length, or a number is not finite.
 *
 * @example A reference that has caught up with the policy
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { trKtoPairedLoss } from "@tr/align/losses";
 *
 * const policy = { chosen: [-9], rejected: [-14] };
 * const { loss, rewardsInitial } = trKtoPairedLoss({
 *   policy,
 *   reference: policy,
 *   initial: { chosen: [-10], rejected: [-10] },
 * }, { beta: 0.5 });
 * assertEquals(loss, 0.5);
 * assertEquals(rewardsInitial, { chosen: Float64Array.of(0.5), rejected: Float64Array.of(-2) });
 * ```
 */
export function trKtoPairedLoss(batch: TrustRegionPairs, options: KtoPairedOptions): TrustRegionPairedResult {
  return withInitialRewards(ktoPairedLoss, batch, options);
}

/** The classical loss against the current reference, with its rewards against the initial one beside. */
function withInitialRewards<
  Reference,
  Batch extends { reference: Reference },
  Options,
  Result extends { rewards: unknown },
>(
  classicalLoss: (batch: Batch, options: Options) => Result,
  batch: Batch & { readonly initial?: Reference },
  options: Options,
): Result & InitialRewards<Result["rewards"]> {
  const result = classicalLoss(batch, options);
  if (batch.initial === undefined) return result;
  return {
    ...result,
    rewardsInitial: classicalLoss({ ...batch, reference: batch.initial }, options).rewards,
  };
}
