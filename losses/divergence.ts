import { divide, exp, type Expression, logSigmoid, minimum, multiply, negate } from "./expression.ts";

/**
 * The divergence that holds the policy to the reference; with any but "reverse_kl" a DPO-like loss is its f-DPO
 * form.
 *
 * The α-divergence is named by an exponent: `{ alpha: 0 }` is "forward_kl", and α → 1 is "reverse_kl".
 */
export type Divergence = "reverse_kl" | "forward_kl" | "jensen_shannon" | { readonly alpha: number };

/** An option of the losses that compare scores of completions. */
export interface DivergenceOptions {
  /**
   * What a completion's log-ratio is turned into before completions are compared. Default "reverse_kl":
   * nothing.
   */
  readonly divergence?: Divergence;
}

/** The least distance of α from 1, where scores become differences of huge numbers. */
const LEAST_DISTANCE = 0.01;

/** The largest exponent: scores beyond e⁴⁰ have no gradient, and their squares still fit float32. */
const LARGEST_EXPONENT = 40;

/**
 * The score of a completion whose log-ratio of policy and reference is `logRatio`: f′(eᵘ) without constants, f
 * being the divergence's function.
 *
 * Reverse KL u · forward KL −e^(−u) · Jensen–Shannon log σ(u) · α-divergence e^((α − 1) u) / (α − 1). Wang et
 * al., "Beyond Reverse KL: Generalizing Direct Preference Optimization with Diverse Divergence Constraints",
 * arXiv 2309.16240; α as in TRL, 1 minus the paper's, whose theorem covers α < 1.
 *
 * @throws {RangeError} If α is not finite, or within 0.01 of 1.
 */
export function divergenceScore(divergence: Divergence, logRatio: Expression): Expression {
  if (divergence === "reverse_kl") return logRatio;
  if (divergence === "forward_kl") return negate(cappedExp(negate(logRatio)));
  if (divergence === "jensen_shannon") return logSigmoid(logRatio);
  if (typeof divergence !== "object" || !Number.isFinite(divergence.alpha)) {
    throw new RangeError(
      `divergence must be "reverse_kl", "forward_kl", "jensen_shannon" or { alpha: a number }, got ${
        JSON.stringify(divergence)
      }`,
    );
  }
  const exponent = divergence.alpha - 1;
  if (Math.abs(exponent) < LEAST_DISTANCE) {
    throw new RangeError(
      `divergence: alpha ${divergence.alpha} is within ${LEAST_DISTANCE} of 1, where scores are divided by almost 0; ` +
        `their limit is "reverse_kl", take that`,
    );
  }
  return divide(cappedExp(multiply(exponent, logRatio)), exponent);
}

function cappedExp(exponent: Expression): Expression {
  return exp(minimum(exponent, LARGEST_EXPONENT));
}
