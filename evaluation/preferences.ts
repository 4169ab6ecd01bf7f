/** How well a policy tells chosen from rejected completions, and how far it is from others, on given completions. */
import type { ComparedCompletion } from "./compare_completions.ts";
import { type Estimate, estimate, estimateRatio } from "./estimate.ts";
import type { BootstrapOptions } from "./statistics.ts";

/** Estimates by name. */
export type Measures = Record<string, Estimate>;

/** Options of {@linkcode measurePairs}. */
export type PairOptions = BootstrapOptions & {
  /** What the models are called that the policy is compared with, in order. */
  others: readonly string[];
  /** What log-ratios are multiplied by to give rewards. */
  beta: number;
};

/**
 * Measures a policy on preference pairs.
 *
 * - `logps/accuracies`: share of pairs whose chosen completion has the higher summed log-prob; equal ones count one half.
 * - `logps_per_token/accuracies`: the same of log-probs per token, which doesn't favour short completions.
 * - `rewards_NAME/…` for each other model: the rewards β (log π(y|x) − log π_NAME(y|x)) of `chosen` and `rejected`
 *   completions (Rafailov et al., arXiv 2305.18290), their difference (`margins`), and the share of pairs in which it is
 *   positive (`accuracies`).
 *
 * @param pairs Of each pair the chosen and the rejected completion.
 * @throws RangeError if there are no pairs.
 */
export function measurePairs(
  pairs: readonly (readonly ComparedCompletion[])[],
  { others, beta, ...bootstrap }: PairOptions,
): Measures {
  const measure = (of: (chosen: ComparedCompletion, rejected: ComparedCompletion) => number) =>
    estimate(pairs.map(([chosen, rejected]) => of(chosen!, rejected!)), bootstrap);
  const measures: Measures = {
    "logps/accuracies": measure((chosen, rejected) => preferred(chosen.logp - rejected.logp)),
    "logps_per_token/accuracies": measure((chosen, rejected) =>
      preferred(chosen.logp / chosen.tokens - rejected.logp / rejected.tokens)
    ),
  };
  others.forEach((name, i) => {
    const reward = ({ logp, others }: ComparedCompletion) => beta * (logp - others[i]!.logp);
    const margin = (chosen: ComparedCompletion, rejected: ComparedCompletion) =>
      reward(chosen) - reward(rejected);
    measures[`rewards_${name}/accuracies`] = measure((chosen, rejected) =>
      preferred(margin(chosen, rejected))
    );
    measures[`rewards_${name}/margins`] = measure(margin);
    measures[`rewards_${name}/chosen`] = measure(reward);
    measures[`rewards_${name}/rejected`] = measure((_, rejected) => reward(rejected));
  });
  return measures;
}

function preferred(difference: number): number {
  return difference > 0 ? 1 : difference === 0 ? 0.5 : 0;
}

/**
 * Measures KL(policy ‖ other) along completions: `kl/NAME` is Σ KL(π(·|x, y₁…) ‖ π_NAME(·|x, y₁…)) over the positions of a
 * completion, exact over the vocabulary, in nats; `kl_per_token/NAME` is the same by the completions' tokens.
 *
 * Along the policy's own samples, drawn at temperature 1, the mean of `kl/NAME` estimates KL(π ‖ π_NAME) of whole
 * completions, with less variance than that of log-ratios has; along the completions of data it only says how far the
 * policy has moved there.
 *
 * @param records Of each prompt its completions, which are resampled together.
 * @throws RangeError if there are no completions.
 */
export function measureDivergences(
  records: readonly (readonly ComparedCompletion[])[],
  { others, ...bootstrap }: BootstrapOptions & { others: readonly string[] },
): Measures {
  const total = (record: readonly ComparedCompletion[], of: (completion: ComparedCompletion) => number) =>
    record.reduce((sum, completion) => sum + of(completion), 0);
  const tokens = records.map((record) => total(record, (completion) => completion.tokens));
  return Object.fromEntries(others.flatMap((name, i) => {
    const divergences = records.map((record) => total(record, ({ others }) => others[i]!.divergence));
    return [
      [`kl/${name}`, estimateRatio(divergences, records.map(({ length }) => length), bootstrap)],
      [`kl_per_token/${name}`, estimateRatio(divergences, tokens, bootstrap)],
    ];
  }));
}

/**
 * Measures a policy's perplexity: e to the mean negative log-prob of a token, over all tokens of the completions.
 *
 * The standard error is that of the mean times the perplexity, as first-order error propagation has it.
 *
 * @throws RangeError if there are no completions.
 */
export function measurePerplexity(
  completions: readonly Pick<ComparedCompletion, "logp" | "tokens">[],
  bootstrap: BootstrapOptions = {},
): Estimate {
  const { mean, standardError, interval: [low, high], count } = estimateRatio(
    completions.map(({ logp }) => -logp),
    completions.map(({ tokens }) => tokens),
    bootstrap,
  );
  return {
    mean: Math.exp(mean),
    standardError: standardError === null ? null : standardError * Math.exp(mean),
    interval: [Math.exp(low), Math.exp(high)],
    count,
  };
}
