/**
 * When and how far the reference follows the policy: a run's progress in, a mixing coefficient out.
 *
 * @module
 */
export { averageLag, countUpdates, referenceWarnings, type RunLength, updateAlphas } from "./forecast.ts";
export { frozen } from "./frozen.ts";
export { hard, type HardOptions } from "./hard.ts";
export { mixReference } from "./mix.ts";
export {
  addSnapshot,
  emptySnapshots,
  snapshotsNeeded,
  type SnapshotStack,
  type SnapshotUpdate,
} from "./snapshots.ts";
export { soft, type SoftOptions } from "./soft.ts";
export {
  defineReferenceStrategy,
  type Progress,
  type ReferenceStrategy,
  type ReferenceStrategyDescription,
} from "./strategy.ts";
