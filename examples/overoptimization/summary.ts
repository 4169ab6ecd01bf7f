import { mean } from "@tr/align/evaluation";
import type { RunResult } from "./results.ts";
import { describeReference, type Setting, settingId } from "./settings.ts";
import { bestCheckpoint, difference, goldAtDivergences, meanOverSeeds, type Measured } from "./statistics.ts";

/** KL at which settings are compared, in nats. */
export const MATCHED_KL = [1, 2, 4] as const;

/** KL at which curves are drawn, from 1/8 to 64 nats, each √2 times the one before. */
const CURVE_KL = Array.from({ length: 19 }, (_, i) => 2 ** (i / 2 - 3));

/** A checkpoint over all seeds. */
export interface CurvePoint {
  /** Optimizer steps. */
  readonly step: number;
  /** KL to the policy at the start, in nats. */
  readonly kl: Measured;
  /** Gold reward. */
  readonly gold: Measured;
}

/** A setting compared with a frozen reference at the same KL. */
export interface Comparison {
  /** KL, in nats. */
  readonly kl: number;
  /** Gold reward; null if not all seeds get there. */
  readonly gold: Measured | null;
  /** By how much that is more than with a frozen reference and the same loss and β; null where there is no such run. */
  readonly overFrozen: Measured | null;
  /** By how much it is more than with a frozen reference and the β that is best at this KL. */
  readonly overBest: { readonly beta: number; readonly gain: Measured } | null;
}

/** What became of a setting, over all seeds. */
export interface SettingSummary {
  /** The setting. */
  readonly setting: Setting;
  /** Its checkpoints. */
  readonly curve: readonly CurvePoint[];
  /** Gold reward over all seeds where each has come that far from the start, as far as all of them come. */
  readonly againstKl: readonly { readonly kl: number; readonly gold: Measured }[];
  /** Each seed's checkpoints. */
  readonly paths: readonly (readonly { readonly kl: number; readonly gold: number }[])[];
  /** The best of them. */
  readonly best: { readonly step: number; readonly kl: number; readonly gold: Measured };
  /** How much of the best is lost at the end. */
  readonly lost: Measured;
  /** Gold reward at the end over that of a frozen reference with the same loss and β; null for that itself. */
  readonly endOverFrozen: Measured | null;
  /** At the same KL. */
  readonly matched: readonly Comparison[];
  /** At the end: tokens of a reply, shares of distinct pairs of words, self-BLEU, updates of the reference. */
  readonly end: {
    readonly length: number;
    readonly distinct2: number;
    readonly selfBleu: number;
    readonly garbled: number;
    readonly repeated: number;
    readonly updates: number;
    readonly accuracy: number;
  };
}

/** Sums up results, setting by setting in their order. */
export function summarize(results: readonly RunResult[]): SettingSummary[] {
  const groups = [...Map.groupBy(results, ({ setting }) => settingId(setting)).values()];
  const frozen = groups.filter(([run]) => run!.setting.reference.update === "frozen");
  return groups.map((runs) => {
    const { setting } = runs[0]!;
    const isFrozen = setting.reference.update === "frozen";
    const rivals = frozen.filter(([run]) => run!.setting.loss === setting.loss);
    const own = isFrozen ? undefined : rivals.find(([run]) => run!.setting.beta === setting.beta);
    const best = bestCheckpoint(runs);
    const last = (run: RunResult) => run.checkpoints.at(-1)!;
    const endMean = (value: (run: RunResult) => number) => mean(runs.map(value));
    return {
      setting,
      curve: runs[0]!.checkpoints.map(({ step }, i) => ({
        step,
        kl: meanOverSeeds(runs.map(({ checkpoints }) => checkpoints[i]!.kl)),
        gold: meanOverSeeds(runs.map(({ checkpoints }) => checkpoints[i]!.gold)),
      })),
      againstKl: CURVE_KL.flatMap((kl) => {
        const gold = goldAtDivergences(runs, kl);
        return gold === null ? [] : [{ kl, gold: meanOverSeeds(gold) }];
      }),
      paths: runs.map(({ checkpoints }) =>
        checkpoints.map(({ kl, gold }) => ({ kl: mean(kl), gold: mean(gold) }))
      ),
      best: { step: best.step, kl: best.kl, gold: meanOverSeeds(best.gold) },
      lost: meanOverSeeds(difference(best.gold, best.end)),
      endOverFrozen: own === undefined
        ? null
        : meanOverSeeds(difference(runs.map((run) => last(run).gold), own.map((run) => last(run).gold))),
      matched: MATCHED_KL.map((kl) => compareAt(kl, { runs, own, rivals: isFrozen ? [] : rivals })),
      end: {
        length: endMean((run) => mean(last(run).lengths)),
        distinct2: endMean((run) => last(run).distinct2),
        selfBleu: endMean((run) => last(run).selfBleu),
        garbled: endMean((run) => last(run).parts["garbled"]!),
        repeated: endMean((run) => last(run).parts["repeated"]!),
        updates: endMean((run) => run.training.updates),
        accuracy: endMean((run) => run.training.accuracy),
      },
    };
  });
}

function compareAt(
  kl: number,
  { runs, own, rivals }: {
    runs: readonly RunResult[];
    own: readonly RunResult[] | undefined;
    rivals: readonly (readonly RunResult[])[];
  },
): Comparison {
  const gold = goldAtDivergences(runs, kl);
  if (gold === null) return { kl, gold: null, overFrozen: null, overBest: null };
  const ownGold = own === undefined ? null : goldAtDivergences(own, kl);
  const reached = rivals.flatMap((group) => {
    const values = goldAtDivergences(group, kl);
    return values === null
      ? []
      : [{ beta: group[0]!.setting.beta, values, mean: mean(values.map((v) => mean(v))) }];
  });
  const [best] = reached.toSorted((a, b) => b.mean - a.mean);
  return {
    kl,
    gold: meanOverSeeds(gold),
    overFrozen: ownGold === null ? null : meanOverSeeds(difference(gold, ownGold)),
    overBest: best === undefined
      ? null
      : { beta: best.beta, gain: meanOverSeeds(difference(gold, best.values)) },
  };
}

/** What an interval says of the sign of a number. */
export function signOf({ interval: [low, high] }: Measured): "above" | "below" | "unclear" {
  return low > 0 ? "above" : high < 0 ? "below" : "unclear";
}

/** A setting's reference in words, for tables. */
export function referenceName({ setting }: SettingSummary): string {
  return describeReference(setting.reference);
}
