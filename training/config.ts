/** What a run can be told; the command line reads it from YAML. */
import { apoDown } from "../losses/apo_down.ts";
import { apoZero } from "../losses/apo_zero.ts";
import { bcoPair } from "../losses/bco_pair.ts";
import { calDpo } from "../losses/cal_dpo.ts";
import { combine } from "../losses/combine.ts";
import { cpo } from "../losses/cpo.ts";
import type { Loss } from "../losses/definition.ts";
import { discopop } from "../losses/discopop.ts";
import { dpo } from "../losses/dpo.ts";
import { dpop } from "../losses/dpop.ts";
import { exoPair } from "../losses/exo_pair.ts";
import { hinge } from "../losses/hinge.ts";
import { ipo } from "../losses/ipo.ts";
import { kto } from "../losses/kto.ts";
import { ktoPaired } from "../losses/kto_paired.ts";
import { ncaPair } from "../losses/nca_pair.ts";
import { orpo } from "../losses/orpo.ts";
import { robust } from "../losses/robust.ts";
import { sft } from "../losses/sft.ts";
import { sigmoidNorm } from "../losses/sigmoid_norm.ts";
import { simpo } from "../losses/simpo.ts";
import { sppoHard } from "../losses/sppo_hard.ts";
import type { ReferenceSettings } from "./reference_settings.ts";
import type { ScheduleName } from "./schedule.ts";

/** One loss of a weighted sum, by name. */
export type LossSettings =
  & { readonly weight: number }
  & (
    | {
      readonly type: "dpo" | "robust" | "exo_pair" | "cpo";
      readonly beta: number;
      readonly labelSmoothing: number;
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
        | "orpo";
      readonly beta: number;
    }
    | { readonly type: "discopop"; readonly beta: number; readonly tau: number }
    | { readonly type: "dpop"; readonly beta: number; readonly lambda: number }
    | { readonly type: "simpo"; readonly beta: number; readonly gamma: number }
    | { readonly type: "sft" }
  );

/** All settings of a run; see the README's table of keys for what each does. */
export interface RunConfig {
  /** The model to train, in Hugging Face layout, and the element type that it is written with. */
  readonly model: { readonly path: string; readonly dtype: "float32" | "float16" | "bfloat16" };
  /** Records and how they become tokens. */
  readonly data: {
    readonly train: readonly string[];
    readonly eval: string | null;
    readonly evalRecords: number | null;
    readonly maxLength: number;
    readonly maxPromptLength: number | null;
    readonly truncate: "keep_end" | "keep_start";
    readonly template: string | null;
    readonly shuffle: boolean;
    readonly invalid: "error" | "skip";
  };
  /** The weighted losses; absent for supervised fine-tuning. */
  readonly loss?: readonly LossSettings[];
  /** The reference; absent for supervised fine-tuning. */
  readonly reference?: ReferenceSettings;
  /** Steps, batches and the optimizer. */
  readonly training: {
    readonly steps: number;
    readonly batchSize: number;
    readonly accumulate: number;
    readonly learningRate: number;
    readonly schedule: ScheduleName;
    readonly warmup: number;
    readonly weightDecay: number;
    readonly adamBetas: readonly [number, number];
    readonly adamEpsilon: number;
    readonly maxGradNorm: number | null;
    readonly seed: number;
    readonly initialEvery?: number;
    readonly memoryLimit: number | null;
  };
  /** Where results go and how often. */
  readonly output: {
    readonly directory: string;
    readonly saveEvery: number;
    readonly evalEvery: number;
    readonly logEvery: number;
    readonly keepCheckpoints: number;
    readonly samples: number;
    readonly sampleTokens: number;
  };
  /** How the samples before and after are drawn. */
  readonly generation: {
    readonly temperature: number;
    readonly topK: number | null;
    readonly topP: number | null;
    readonly seed: number;
  };
}

/** The loss that a configuration asks for. */
export function lossOf(config: Pick<RunConfig, "loss">): Loss {
  if (config.loss === undefined) return sft();
  const [first] = config.loss;
  if (config.loss.length === 1 && first?.weight === 1) return lossTerm(first);
  return combine(config.loss.map((settings) => ({ loss: lossTerm(settings), weight: settings.weight })));
}

function lossTerm(settings: LossSettings): Loss {
  switch (settings.type) {
    case "dpo":
      return dpo(settings);
    case "ipo":
      return ipo(settings);
    case "kto":
      return kto(settings);
    case "kto_paired":
      return ktoPaired(settings);
    case "sft":
      return sft();
    case "robust":
      return robust(settings);
    case "hinge":
      return hinge(settings);
    case "exo_pair":
      return exoPair(settings);
    case "nca_pair":
      return ncaPair(settings);
    case "bco_pair":
      return bcoPair(settings);
    case "sppo_hard":
      return sppoHard(settings);
    case "apo_zero":
      return apoZero(settings);
    case "apo_down":
      return apoDown(settings);
    case "discopop":
      return discopop(settings);
    case "sigmoid_norm":
      return sigmoidNorm(settings);
    case "dpop":
      return dpop(settings);
    case "cal_dpo":
      return calDpo(settings);
    case "simpo":
      return simpo(settings);
    case "cpo":
      return cpo(settings);
    case "orpo":
      return orpo(settings);
  }
}
