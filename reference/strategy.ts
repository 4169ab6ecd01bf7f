/** The measures of a step that a strategy can decide on. */
export type MeasureName = "kl" | "margin" | "curvature";

/** What a finished step says of the distance between policy and reference. */
export interface Measurement {
  /** The step. */
  readonly step: number;
  /** Mean Σ KL(policy ‖ current reference) over the positions of a completion, in nats, exact over the vocabulary. */
  readonly kl: number;
  /** Mean reward of chosen completions minus that of rejected ones; absent where a batch had only one kind. */
  readonly margin?: number;
  /** Mean σ(z)σ(−z) of the reward margins z, at most ¼, which it is at z = 0; absent where the loss reports none. */
  readonly curvature?: number;
}

/** The most measurements that a strategy is shown. */
export const MEASUREMENTS_SHOWN = 64;

/** Where a run stands when its reference is about to be updated, right after an optimizer step. */
export interface Progress {
  /** Optimizer steps completed; the first update can come at 1. */
  readonly step: number;
  /** Optimizer steps of the whole run. */
  readonly totalSteps: number;
  /** Passes over the data completed. */
  readonly epoch?: number;
  /** Whether this step completed a pass over the data. */
  readonly finishesEpoch?: boolean;
  /** The step of the last update; 0, the default, if there was none. */
  readonly lastUpdate?: number;
  /**
   * Measurements against the current reference, of steps after the last update, oldest first, the latest
   * {@linkcode MEASUREMENTS_SHOWN}. Those of the last few steps are missing: they are still under way on the device.
   */
  readonly measured?: readonly Measurement[];
}

/** A strategy's name and parameters, for logs. */
export interface ReferenceStrategyDescription {
  /** Such as "soft". */
  readonly name: string;
  /** Its parameters. */
  readonly [parameter: string]: string | number;
}

/** What makes a strategy update that decides on measurements. */
export interface Trigger {
  /** What it looks at. */
  readonly measure: MeasureName;
  /** KL and margin trigger above it, curvature below it. */
  readonly bound: number;
  /** The number that is compared with the bound; undefined where too little has been measured since the last update. */
  readonly value: (progress: Progress) => number | undefined;
}

/** What a strategy is beyond its α; most strategies are nothing beyond it. */
export interface ReferenceStrategyTraits {
  /** Whether α can be 1; true if left out. */
  readonly copies?: boolean;
  /** There if updates depend on measurements, so that no one knows before a run when they come. */
  readonly trigger?: Trigger;
  /**
   * There if α mixes an average apart, m ← α θ + (1 − α) m, and the reference is that and a share b = bias(progress) of the
   * policy's way from the initial reference θ₀: θ_ref ← m + b (θ − θ₀). It takes another parameter set.
   */
  readonly bias?: (progress: Progress) => number;
  /** Whether the optimizer starts anew when α is 1. */
  readonly resetsOptimizer?: boolean;
}

/**
 * When and how far the reference follows the policy: from a run's progress, the α of θ_ref ← α θ + (1 − α) θ_ref.
 *
 * 0 leaves the reference alone, 1 copies the policy. Called once after every optimizer step, in order; a function of its
 * argument alone, so that a resumed run decides as the uninterrupted one. Gorbatovski et al., arXiv 2404.09656, section 3.
 */
export interface ReferenceStrategy extends ReferenceStrategyTraits {
  (progress: Progress): number;
  /** For logs. */
  readonly description: ReferenceStrategyDescription;
}

/**
 * Makes a strategy of a rule and its description.
 *
 * @param traits What it is beyond its α; nothing by default.
 *
 * @example A hard update at the end of each third of the run
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { countUpdates, defineReferenceStrategy } from "@tr/align/reference";
 *
 * const thirds = defineReferenceStrategy(
 *   ({ step, totalSteps }) => step % Math.ceil(totalSteps / 3) === 0 ? 1 : 0,
 *   { name: "thirds" },
 * );
 * assertEquals(countUpdates(thirds, { totalSteps: 90 }), 3);
 * ```
 */
export function defineReferenceStrategy(
  rule: (progress: Progress) => number,
  description: ReferenceStrategyDescription,
  traits: ReferenceStrategyTraits = {},
): ReferenceStrategy {
  return Object.assign((progress: Progress) => rule(progress), { ...traits, description });
}

/** The strategy with another rule, more to say of itself, and its own traits unless `traits` has others. */
export function varyStrategy(
  strategy: ReferenceStrategy,
  rule: (progress: Progress) => number,
  { description, traits = {} }: {
    description: Readonly<Record<string, string | number>>;
    traits?: ReferenceStrategyTraits;
  },
): ReferenceStrategy {
  const { copies, trigger, bias, resetsOptimizer } = strategy;
  return defineReferenceStrategy(rule, { ...strategy.description, ...description }, {
    ...(copies === undefined ? {} : { copies }),
    ...(trigger ? { trigger } : {}),
    ...(bias ? { bias } : {}),
    ...(resetsOptimizer === undefined ? {} : { resetsOptimizer }),
    ...traits,
  });
}
