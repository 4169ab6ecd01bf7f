/**
 * When and how far the reference follows the policy: a run's progress in, a mixing coefficient out.
 *
 * @module
 */
export { adaptive, type AdaptiveOptions } from "./adaptive.ts";
export { after } from "./after.ts";
export { bema, type BemaOptions } from "./bema.ts";
export {
  averageLag,
  countMostUpdates,
  countUpdates,
  describeUpdates,
  type RunLength,
  updateAlphas,
} from "./forecast.ts";
export { frozen } from "./frozen.ts";
export { hard, type HardOptions } from "./hard.ts";
export { mixReference } from "./mix.ts";
export { withOptimizerReset } from "./optimizer_reset.ts";
export { perEpoch, type PerEpochOptions } from "./per_epoch.ts";
export {
  addSnapshot,
  emptySnapshots,
  snapshotsNeeded,
  type SnapshotStack,
  type SnapshotUpdate,
} from "./snapshots.ts";
export { scheduled, type ScheduledOptions } from "./scheduled.ts";
export { soft, type SoftOptions } from "./soft.ts";
export {
  defineReferenceStrategy,
  type Measurement,
  MEASUREMENTS_SHOWN,
  type MeasureName,
  type Progress,
  type ReferenceStrategy,
  type ReferenceStrategyDescription,
  type ReferenceStrategyTraits,
  type Trigger,
} from "./strategy.ts";
export { until } from "./until.ts";
export { referenceWarnings } from "./warnings.ts";
