import { defineLoss, type Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { add, square, subtract } from "./expression.ts";
import { logRatioMargin, logRatioRewards, logRatioScores } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines SPPO with hard labels: (u_w − 1 / (2β))² + (u_l + 1 / (2β))², u the log-ratio of policy and reference.
 *
 * It draws the chosen completion's reward to ½ and the rejected one's to −½, as if the labels won for certain. Wu et
 * al., "Self-Play Preference Optimization for Language Model Alignment", arXiv 2405.00675, whose η is 1 / β.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, sppoHard } from "@tr/align/losses";
 *
 * const batch = {
 *   policy: { chosen: [-10], rejected: [-14] },
 *   reference: { chosen: [-12], rejected: [-13] },
 * }; // log-ratios 2 and −1
 * assertAlmostEquals(evaluatePaired(batch, sppoHard({ beta: 0.1 })).loss, (2 - 5) ** 2 + (-1 + 5) ** 2);
 * ```
 */
export function sppoHard({ beta, divergence }: BetaOptions & DivergenceOptions): Loss {
  checkPositive(beta, "sppoHard: beta");
  const { chosen, rejected } = logRatioScores(divergence);
  const target = 1 / (2 * beta);
  return defineLoss({
    name: "sppoHard",
    kind: "paired",
    expression: add(square(subtract(chosen, target)), square(add(rejected, target))),
    rewards: logRatioRewards(beta, divergence),
    margin: logRatioMargin(beta, divergence),
  });
}
