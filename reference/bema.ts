import { checkEvery, isDue } from "./schedule.ts";
import { defineReferenceStrategy, type Progress, type ReferenceStrategy } from "./strategy.ts";

/** Options of a bias-corrected moving average; the defaults are those of the authors and of TRL, but for `every`. */
export interface BemaOptions {
  /** φ, optimizer steps from one update to the next. */
  readonly every: number;
  /** κ, how fast the average slows down, above 0 and at most 1; 0.5 by default. */
  readonly emaPower?: number;
  /** η, how fast the correction fades, above 0 and at most 1; 0.2 by default. */
  readonly biasPower?: number;
  /** ρ, at least 1: the age in steps that the average has at the start; 10 by default. */
  readonly lag?: number;
  /** γ, above 0: how much a step counts; 1 by default. */
  readonly multiplier?: number;
}

/**
 * A reference that is a moving average of the policy, corrected for its bias towards where training began.
 *
 * After every `every`-th step t the average is m ← β_t θ + (1 − β_t) m with β_t = (ρ + γt)^−κ, starting from the initial
 * reference θ₀, and the reference θ_ref ← m + a_t (θ − θ₀) with a_t = (ρ + γt)^−η. Block and Zhang, arXiv 2508.00180, with
 * TRL's use of it as the reference of DPO. α is β_t here, and the strategy's `bias` a_t. It takes one more parameter set,
 * for m. Where the policy slows down, m catches up and the reference comes to lie beyond the policy. Needs a reference that starts as the policy, so that θ − θ₀ is what training changed.
 *
 * @throws {RangeError} If an option is out of range.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { bema } from "@tr/align/reference";
 *
 * const strategy = bema({ every: 30 });
 * const progress = { step: 90, totalSteps: 500 };
 * assertAlmostEquals(strategy(progress), 0.1); // 100^−½
 * assertAlmostEquals(strategy.bias!(progress), 0.398, 1e-3); // 100^−⅕
 * ```
 */
export function bema(
  { every, emaPower = 0.5, biasPower = 0.2, lag = 10, multiplier = 1 }: BemaOptions,
): ReferenceStrategy {
  checkEvery("bema", every);
  const require = (name: string, value: number, { wanted, holds }: { wanted: string; holds: boolean }) => {
    if (!holds) throw new RangeError(`bema: ${name} must be ${wanted}, got ${value}`);
  };
  require("emaPower", emaPower, { wanted: "above 0 and at most 1", holds: emaPower > 0 && emaPower <= 1 });
  require("biasPower", biasPower, {
    wanted: "above 0 and at most 1",
    holds: biasPower > 0 && biasPower <= 1,
  });
  require("lag", lag, { wanted: "a number of at least 1", holds: lag >= 1 && lag < Infinity });
  require("multiplier", multiplier, {
    wanted: "a number above 0",
    holds: multiplier > 0 && multiplier < Infinity,
  });
  const power = ({ step }: Progress, exponent: number) => (lag + multiplier * step) ** -exponent;
  const age = `(${lag} + ${multiplier === 1 ? "" : `${multiplier} `}t)`;
  return defineReferenceStrategy(
    (progress) => isDue(progress.step, every) ? power(progress, emaPower) : 0,
    { name: "bema", every, alpha: `${age}^-${emaPower}`, bias: `${age}^-${biasPower}` },
    { copies: false, bias: (progress) => power(progress, biasPower) },
  );
}
