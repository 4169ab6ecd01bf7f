import { combine } from "./combine.ts";
import type { Loss } from "./definition.ts";
import { dpo, type DpoOptions } from "./dpo.ts";
import { checkPositive } from "./options.ts";
import { sft } from "./sft.ts";

/** Options of RPO; β, ε and the divergence are {@linkcode dpo}'s. */
export interface RpoOptions extends DpoOptions {
  /** α, the weight of the chosen completions' cross-entropy; above 0. Default 1. */
  readonly alpha?: number;
}

/**
 * Defines RPO: {@linkcode dpo} + α {@linkcode sft}.
 *
 * The cross-entropy keeps the chosen completions likely, which DPO alone lets sink. Pang et al., "Iterative
 * Reasoning Preference Optimization", arXiv 2404.19733, equation 1, whose α is 1; Liu et al., arXiv 2405.16436,
 * take 0.005. Tokens are counted over the batch, as in TRL, not in each pair.
 *
 * @throws {RangeError} If β or α is not above 0, ε not in [0, 0.5), or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, rpo } from "@tr/align/losses";
 *
 * const pair = { chosen: [-8], rejected: [-9] };
 * const lengths = { chosen: [4], rejected: [3] };
 * const { loss } = evaluatePaired({ policy: pair, reference: pair, lengths }, rpo({ beta: 0.1, alpha: 0.5 }));
 * assertAlmostEquals(loss, Math.LN2 + 0.5 * 8 / 4);
 * ```
 */
export function rpo({ alpha = 1, ...options }: RpoOptions): Loss {
  checkPositive(options.beta, "rpo: beta");
  checkPositive(alpha, "rpo: alpha");
  return { ...combine([{ loss: dpo(options), weight: 1 }, { loss: sft(), weight: alpha }]), name: "rpo" };
}
