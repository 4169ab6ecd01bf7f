import { defineLoss, type Loss } from "./definition.ts";
import { add, square, subtract } from "./expression.ts";
import { chosenLogRatio, logRatioMargin, logRatioRewards, rejectedLogRatio } from "./log_ratio.ts";
import { type BetaOptions, checkPositive } from "./options.ts";

/**
 * Defines SPPO with hard labels: (u_w − 1 / (2β))² + (u_l + 1 / (2β))², u the log-ratio of policy and reference.
 *
 * It draws the chosen completion's reward to ½ and the rejected one's to −½, as if the labels won for certain. Wu et
 * al., "Self-Play Preference Optimization for Language Model Alignment", arXiv 2405.00675, whose η is 1 / β.
 *
 * @throws {RangeError} If β is not above 0.
 */
export function sppoHard({ beta }: BetaOptions): Loss {
  checkPositive(beta, "sppoHard: beta");
  const target = 1 / (2 * beta);
  return defineLoss({
    name: "sppoHard",
    kind: "paired",
    expression: add(square(subtract(chosenLogRatio, target)), square(add(rejectedLogRatio, target))),
    rewards: logRatioRewards(beta),
    margin: logRatioMargin(beta),
  });
}
