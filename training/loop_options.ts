/** What the training loop is given, and what of it changes from step to step. */
import { type DataPosition, startOfData } from "../data/position.ts";
import type { Measurement, ReferenceStrategy } from "../reference/strategy.ts";
import type { Examples } from "./examples.ts";
import type { TrainingLoss } from "./metrics.ts";
import type { BatchPlan, BatchPlanOptions } from "./plan.ts";
import type { ScheduleOptions } from "./schedule.ts";

/** What of a run changes from step to step, besides the tensors; a checkpoint keeps it. */
export interface RunState {
  /** Optimizer steps completed. */
  step: number;
  /** Where the next batch starts. */
  position: DataPosition;
  /** How often the reference has moved. */
  referenceUpdates: number;
  /** The step after which it last moved; 0 if it never has. */
  lastUpdate: number;
  /** What the latest steps measured, oldest first: all that a strategy may still be shown. */
  measured: Measurement[];
  /** Steps that the optimizer has taken since its moments were zero. */
  optimizerSteps: number;
  /** How often they were set to zero during the run. */
  optimizerResets: number;
}

/** Steps that may be under way on the device before the oldest one's metrics are read. */
export const STEPS_UNDER_WAY = 3;

/** The state of a run before its first step. */
export function startOfRun(): RunState {
  return {
    step: 0,
    position: startOfData(),
    referenceUpdates: 0,
    lastUpdate: 0,
    measured: [],
    optimizerSteps: 0,
    optimizerResets: 0,
  };
}

/** What the loop needs besides the engine. */
export interface LoopOptions extends BatchPlanOptions {
  /** The loss that the engine was built for, or a function of the user's own. */
  readonly loss: TrainingLoss;
  /** Completions in a record. */
  readonly sequencesPerRecord: 1 | 2;
  /** The training records. */
  readonly examples: Examples;
  /** The shapes that the engine was built with. */
  readonly plan: BatchPlan;
  /** Learning rates. */
  readonly schedule: ScheduleOptions;
  /** When and how far the reference moves. */
  readonly strategy: ReferenceStrategy;
  /** Measure against the initial reference every so many steps; 0 for never. */
  readonly initialEvery: number;
  /** Whether policy and reference start as the same model, so that the first loss is known. */
  readonly sameStart: boolean;
  /** Changed in place as the run goes on. */
  readonly state: RunState;
  /** Whether to stop after a step to let the caller look at the device, say for a checkpoint. */
  readonly pauseAfter?: (step: number) => boolean;
}
