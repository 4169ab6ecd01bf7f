import { bcoPair } from "./bco_pair.ts";
import { combine } from "./combine.ts";
import type { Loss } from "./definition.ts";
import type { DivergenceOptions } from "./divergence.ts";
import { dpo } from "./dpo.ts";
import { type BetaOptions, checkPositive } from "./options.ts";
import { sft } from "./sft.ts";

/**
 * Defines MPO: 0.8 {@linkcode dpo} + 0.2 {@linkcode bcoPair} + {@linkcode sft}.
 *
 * Which completion is better, how good each one is, and how to write the better one. Wang et al., "Enhancing
 * the Reasoning Ability of Multimodal Large Language Models via Mixed Preference Optimization", arXiv
 * 2411.10442, section 3.2 and the weights of section 7; {@linkcode combine} takes others. Rewards are DPO's.
 *
 * @throws {RangeError} If β is not above 0, or `divergence` is none.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { evaluatePaired, mpo } from "@tr/align/losses";
 *
 * const pair = { chosen: [-8], rejected: [-9] };
 * const lengths = { chosen: [4], rejected: [3] };
 * const { loss } = evaluatePaired({ policy: pair, reference: pair, lengths }, mpo({ beta: 0.1 }));
 * assertAlmostEquals(loss, 0.8 * Math.LN2 + 0.2 * 2 * Math.LN2 + 8 / 4);
 * ```
 */
export function mpo(options: BetaOptions & DivergenceOptions): Loss {
  checkPositive(options.beta, "mpo: beta");
  const parts = [
    { loss: dpo(options), weight: 0.8 },
    { loss: bcoPair(options), weight: 0.2 },
    { loss: sft(), weight: 1 },
  ];
  return { ...combine(parts), name: "mpo" };
}
