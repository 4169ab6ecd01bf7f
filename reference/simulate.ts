import { type Measurement, MEASUREMENTS_SHOWN, type Progress, type ReferenceStrategy } from "./strategy.ts";

/** The run that a forecast is for. */
export interface RunLength {
  /** Optimizer steps of the whole run. */
  readonly totalSteps: number;
  /** Optimizer steps of a pass over the data; needed by strategies that look at epochs. */
  readonly stepsPerEpoch?: number;
  /** Steps from one to the first that sees its measurement; 1, the default, is the fewest. */
  readonly measuredAfter?: number;
}

/**
 * The progress and α of each step of a run.
 *
 * A strategy that decides on measurements is shown ones beyond any bound, so that it updates as often as it ever can.
 */
export function* simulate(
  strategy: ReferenceStrategy,
  { totalSteps, stepsPerEpoch, measuredAfter = 1 }: RunLength,
): Generator<{ progress: Progress; alpha: number }> {
  let lastUpdate = 0;
  for (let step = 1; step <= totalSteps; step++) {
    const progress: Progress = {
      step,
      totalSteps,
      lastUpdate,
      ...(stepsPerEpoch === undefined
        ? {}
        : { epoch: Math.floor(step / stepsPerEpoch), finishesEpoch: step % stepsPerEpoch === 0 }),
      ...(strategy.trigger ? { measured: beyondBounds(lastUpdate + 1, step - measuredAfter) } : {}),
    };
    const alpha = strategy(progress);
    if (alpha > 0) lastUpdate = step;
    yield { progress, alpha };
  }
}

/** Measurements of the steps from `first` to `last` that cross every bound. */
function beyondBounds(first: number, last: number): Measurement[] {
  const start = Math.max(first, last - MEASUREMENTS_SHOWN + 1);
  return Array.from({ length: Math.max(0, last - start + 1) }, (_, i) => ({
    step: start + i,
    kl: Infinity,
    margin: Infinity,
    curvature: 0,
  }));
}
