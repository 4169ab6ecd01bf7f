/** What a run can be told about its reference, and the strategy that follows from it. */
import { adaptive } from "../reference/adaptive.ts";
import { after } from "../reference/after.ts";
import { bema } from "../reference/bema.ts";
import { frozen } from "../reference/frozen.ts";
import { hard } from "../reference/hard.ts";
import { withOptimizerReset } from "../reference/optimizer_reset.ts";
import { perEpoch } from "../reference/per_epoch.ts";
import { scheduled } from "../reference/scheduled.ts";
import { soft } from "../reference/soft.ts";
import type { MeasureName, ReferenceStrategy } from "../reference/strategy.ts";
import { until } from "../reference/until.ts";

/** When updates begin and end; the whole run by default. */
export interface UpdateSpan {
  /** No update before more than so many steps are done. */
  readonly after?: number;
  /** No update once more than so many steps are done; null for no end. */
  readonly until?: number | null;
}

/** For updates that copy the policy. */
export interface CopySettings {
  /** Whether the optimizer starts anew at each copy. */
  readonly resetOptimizer?: boolean;
}

/** What the policy is compared with; `path` starts it from another model than the policy. */
export type ReferenceSettings =
  & { readonly path: string | null }
  & (
    | { readonly update: "frozen"; readonly dtype?: "float32" | "bfloat16" }
    | { readonly update: "soft"; readonly alpha: number; readonly every: number } & UpdateSpan
    | { readonly update: "hard"; readonly every: number } & UpdateSpan & CopySettings
    | {
      readonly update: "scheduled";
      readonly alphaStart: number;
      readonly alphaEnd: number;
      readonly schedule: "linear" | "cosine";
      readonly every: number;
    } & UpdateSpan
    | { readonly update: "epoch"; readonly alpha: number } & UpdateSpan & CopySettings
    | {
      readonly update: "adaptive";
      readonly measure: MeasureName;
      readonly bound: number;
      readonly spacing: number;
      readonly average: number;
      readonly alpha: number;
    }
      & UpdateSpan
      & CopySettings
    | {
      readonly update: "bema";
      readonly every: number;
      readonly emaPower: number;
      readonly biasPower: number;
      readonly lag: number;
      readonly multiplier: number;
    } & UpdateSpan
  );

/**
 * The reference strategy that a configuration asks for.
 *
 * @throws {RangeError} If a setting is out of range, or an optimizer reset is asked for that would never come.
 */
export function strategyOf({ reference }: { readonly reference?: ReferenceSettings }): ReferenceStrategy {
  if (reference === undefined || reference.update === "frozen") return frozen();
  let strategy = updatesOf(reference);
  if ("resetOptimizer" in reference && reference.resetOptimizer) strategy = withOptimizerReset(strategy);
  if (reference.after) strategy = after(strategy, { step: reference.after });
  if (typeof reference.until === "number") strategy = until(strategy, { step: reference.until });
  return strategy;
}

/** Whether the reference is stored in fewer digits than the policy, and so starts as a model of its own. */
export function isRounded(reference: ReferenceSettings | undefined): boolean {
  return reference?.update === "frozen" && reference.dtype === "bfloat16";
}

function updatesOf(settings: Exclude<ReferenceSettings, { update: "frozen" }>): ReferenceStrategy {
  switch (settings.update) {
    case "soft":
      return soft(settings);
    case "hard":
      return hard(settings);
    case "scheduled":
      return scheduled(settings);
    case "epoch":
      return perEpoch(settings);
    case "adaptive":
      return adaptive(settings);
    case "bema":
      if (settings.path !== null) {
        throw new Error(
          `reference.path ${settings.path}: bema starts from the policy, whose way since then it adds; leave out the path`,
        );
      }
      return bema(settings);
  }
}
