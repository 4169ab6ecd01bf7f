/** The reference's part in a step: what the strategy is shown, what it decides, and what becomes of it. */
import { completedEpochs, type DataPosition } from "../data/position.ts";
import { MEASUREMENTS_SHOWN, type Progress } from "../reference/strategy.ts";
import type { Engine } from "./engine.ts";
import { type LoopOptions, STEPS_UNDER_WAY } from "./loop_options.ts";
import type { Metrics } from "./metrics.ts";

/**
 * Steps from one to the first whose update of the reference may depend on its measurement: before that its results need
 * not be there. Fixed, also where the run happens to wait for the device, so that checkpoints and evaluations change no
 * decision.
 */
export const MEASURED_AFTER = STEPS_UNDER_WAY + 1;

/** What was decided after a step, for its row of metrics. */
export interface ReferenceUpdate {
  /** The policy's share; 0 if the reference stayed. */
  readonly alpha: number;
  /** Names and values for the row. */
  readonly metrics: Metrics;
}

/**
 * Moves the reference after an optimizer step if the strategy says so, and notes that in the state.
 *
 * @param options.next Where the next batch starts.
 */
export function updateReference(
  engine: Engine,
  options:
    & Pick<LoopOptions, "state" | "strategy" | "steps" | "examples" | "batchSize" | "accumulate" | "mixture">
    & {
      step: number;
      next: DataPosition;
    },
): ReferenceUpdate {
  const { state, strategy, step } = options;
  const progress = progressAfter(options);
  const alpha = strategy(progress);
  const measured = strategy.trigger?.value(progress);
  if (alpha > 0) {
    engine.moveReference(alpha, { bias: strategy.bias?.(progress) ?? 0 });
    state.referenceUpdates++;
    state.lastUpdate = step;
  }
  if (alpha === 1 && strategy.resetsOptimizer) {
    engine.resetOptimizer();
    state.optimizerSteps = 0;
    state.optimizerResets++;
  }
  return {
    alpha,
    metrics: {
      "reference/alpha": alpha,
      "reference/updates": state.referenceUpdates,
      ...(measured === undefined ? {} : { "reference/measured": measured }),
      ...(strategy.resetsOptimizer ? { "optimizer/resets": state.optimizerResets } : {}),
      ...(engine.snapshots ? { "reference/truncation": engine.snapshots.lost } : {}),
    },
  };
}

function progressAfter(options: Parameters<typeof updateReference>[1]): Progress {
  const { state, step, next, steps: totalSteps, examples, batchSize, accumulate, mixture = null } = options;
  const { lastUpdate } = state;
  const data = { count: examples.length, size: batchSize * accumulate, mixture };
  const epoch = completedEpochs(next, data);
  const isShown = (measuredStep: number) =>
    measuredStep > lastUpdate && measuredStep <= step - MEASURED_AFTER;
  return {
    step,
    totalSteps,
    epoch,
    finishesEpoch: epoch > completedEpochs(state.position, data),
    lastUpdate,
    measured: state.measured.filter(({ step }) => isShown(step)).slice(-MEASUREMENTS_SHOWN),
  };
}

/**
 * Adds what a finished step measured to the state, for later decisions.
 *
 * @param row The step's metrics.
 * @throws If the strategy decides on a measure that the loss doesn't report.
 */
export function noteMeasurement(
  row: Metrics,
  { state, strategy }: Pick<LoopOptions, "state" | "strategy">,
): void {
  const { step, "kl/reference": kl, "rewards/margins": margin, curvature } = row;
  if (kl === undefined) return;
  if (strategy.trigger?.measure === "curvature" && curvature === undefined) {
    throw new Error(
      "reference adaptive: the loss function returns no curvature to decide on; let it return one, or measure kl or margin",
    );
  }
  state.measured = [
    ...state.measured,
    {
      step: step!,
      kl,
      ...(margin === undefined ? {} : { margin }),
      ...(curvature === undefined ? {} : { curvature }),
    },
  ].slice(-KEPT);
}

/** As many as a strategy may be shown, and those that it may not see yet. */
const KEPT: number = MEASUREMENTS_SHOWN + MEASURED_AFTER;
