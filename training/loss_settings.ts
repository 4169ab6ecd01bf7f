/** Losses by name: what a configuration says of one, and the definition it asks for. */
import { aot, aotUnpaired } from "../losses/aot.ts";
import { apoDown } from "../losses/apo_down.ts";
import { apoZero } from "../losses/apo_zero.ts";
import { bcoPair } from "../losses/bco_pair.ts";
import { calDpo } from "../losses/cal_dpo.ts";
import { cpo } from "../losses/cpo.ts";
import type { Loss } from "../losses/definition.ts";
import { discopop } from "../losses/discopop.ts";
import type { Divergence } from "../losses/divergence.ts";
import { dpo } from "../losses/dpo.ts";
import { dpop } from "../losses/dpop.ts";
import { exoPair } from "../losses/exo_pair.ts";
import { hinge } from "../losses/hinge.ts";
import { hypo } from "../losses/hypo.ts";
import { ipo } from "../losses/ipo.ts";
import { kto } from "../losses/kto.ts";
import { ktoPaired } from "../losses/kto_paired.ts";
import { ldDpo } from "../losses/ld_dpo.ts";
import { margin } from "../losses/margin.ts";
import { mpo } from "../losses/mpo.ts";
import { ncaPair } from "../losses/nca_pair.ts";
import { normalizeLengths } from "../losses/normalize_lengths.ts";
import { orpo } from "../losses/orpo.ts";
import { robust } from "../losses/robust.ts";
import { rpo } from "../losses/rpo.ts";
import { sft } from "../losses/sft.ts";
import { sigmoidNorm } from "../losses/sigmoid_norm.ts";
import { simpo } from "../losses/simpo.ts";
import { sppoHard } from "../losses/sppo_hard.ts";
import { wpo } from "../losses/wpo.ts";

/** What can be changed about a loss; which losses take which is said by the functions of the same names. */
export interface LossChanges {
  /** What holds the policy to the reference; "alpha" takes `divergenceAlpha`. Default "reverse_kl". */
  readonly divergence?: Exclude<Divergence, object> | "alpha" | undefined;
  /** α of the α-divergence. */
  readonly divergenceAlpha?: number | undefined;
  /** Whether the reference counts only where it prefers the chosen completion. Default false. */
  readonly hypo?: boolean | undefined;
  /** Whether log-probs are averaged over tokens. Default false. */
  readonly normalizeLengths?: boolean | undefined;
  /** What tokens beyond the length of the shorter completion count. Default 1, as all others. */
  readonly ldAlpha?: number | undefined;
  /** Whether pairs count by how likely they are for the policy itself. Default false. */
  readonly wpo?: boolean | undefined;
}

/** One loss of a weighted sum, by name. */
export type LossSettings =
  & { readonly weight: number }
  & LossChanges
  & (
    | {
      readonly type: "dpo" | "robust" | "exo_pair" | "cpo" | "aot" | "aot_unpaired";
      readonly beta: number;
      readonly labelSmoothing: number;
    }
    | {
      readonly type: "rpo";
      readonly beta: number;
      readonly labelSmoothing: number;
      readonly alpha: number;
    }
    | { readonly type: "ipo"; readonly beta: number; readonly average: "sum" | "mean" }
    | {
      readonly type: "kto";
      readonly beta: number;
      readonly desirableWeight: number;
      readonly undesirableWeight: number;
    }
    | { readonly type: "kto_paired"; readonly beta: number; readonly detach: boolean }
    | {
      readonly type:
        | "hinge"
        | "nca_pair"
        | "bco_pair"
        | "sppo_hard"
        | "apo_zero"
        | "apo_down"
        | "sigmoid_norm"
        | "cal_dpo"
        | "margin"
        | "mpo"
        | "orpo";
      readonly beta: number;
    }
    | { readonly type: "discopop"; readonly beta: number; readonly tau: number }
    | { readonly type: "dpop"; readonly beta: number; readonly lambda: number }
    | { readonly type: "simpo"; readonly beta: number; readonly gamma: number }
    | { readonly type: "sft" }
  );

/** The losses whose scores a divergence can change. */
const WITH_DIVERGENCE: readonly LossSettings["type"][] = [
  "dpo",
  "robust",
  "ipo",
  "hinge",
  "exo_pair",
  "nca_pair",
  "bco_pair",
  "sppo_hard",
  "apo_down",
  "discopop",
  "sigmoid_norm",
  "dpop",
  "cal_dpo",
  "margin",
  "rpo",
  "mpo",
];

/**
 * The definition of one loss.
 *
 * @throws If an option is out of range, or a change doesn't fit the loss.
 */
export function lossTerm(settings: LossSettings): Loss {
  let loss = namedLoss(settings, divergenceOf(settings));
  if (settings.hypo) loss = hypo(loss);
  if (settings.normalizeLengths) loss = normalizeLengths(loss);
  if (settings.ldAlpha !== undefined) loss = ldDpo(loss, { alpha: settings.ldAlpha });
  if (settings.wpo) loss = wpo(loss);
  return loss;
}

function divergenceOf({ type, divergence = "reverse_kl", divergenceAlpha }: LossSettings): Divergence {
  if (divergence !== "reverse_kl" && !WITH_DIVERGENCE.includes(type)) {
    throw new Error(`divergence: ${divergence} would be ignored by ${type}; leave it out`);
  }
  if ((divergence === "alpha") !== (divergenceAlpha !== undefined)) {
    throw new Error(
      divergence === "alpha"
        ? "divergence: alpha needs a number, divergence_alpha, below 1 and not too near it, such as 0.5"
        : `divergence_alpha ${divergenceAlpha} would be ignored by divergence ${divergence}; set divergence to alpha`,
    );
  }
  return divergence === "alpha" ? { alpha: divergenceAlpha! } : divergence;
}

function namedLoss(settings: LossSettings, divergence: Divergence): Loss {
  switch (settings.type) {
    case "dpo":
      return dpo({ ...settings, divergence });
    case "ipo":
      return ipo({ ...settings, divergence });
    case "kto":
      return kto(settings);
    case "kto_paired":
      return ktoPaired(settings);
    case "sft":
      return sft();
    case "robust":
      return robust({ ...settings, divergence });
    case "hinge":
      return hinge({ ...settings, divergence });
    case "exo_pair":
      return exoPair({ ...settings, divergence });
    case "nca_pair":
      return ncaPair({ ...settings, divergence });
    case "bco_pair":
      return bcoPair({ ...settings, divergence });
    case "sppo_hard":
      return sppoHard({ ...settings, divergence });
    case "apo_zero":
      return apoZero(settings);
    case "apo_down":
      return apoDown({ ...settings, divergence });
    case "discopop":
      return discopop({ ...settings, divergence });
    case "sigmoid_norm":
      return sigmoidNorm({ ...settings, divergence });
    case "dpop":
      return dpop({ ...settings, divergence });
    case "cal_dpo":
      return calDpo({ ...settings, divergence });
    case "simpo":
      return simpo(settings);
    case "cpo":
      return cpo(settings);
    case "orpo":
      return orpo(settings);
    case "margin":
      return margin({ ...settings, divergence });
    case "rpo":
      return rpo({ ...settings, divergence });
    case "mpo":
      return mpo({ ...settings, divergence });
    case "aot":
      return aot(settings);
    case "aot_unpaired":
      return aotUnpaired(settings);
  }
}
