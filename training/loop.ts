/** The training loop: batches in, one row of metrics a step out, a few steps late so that the GPU never waits. */
import { createBatches } from "../data/position.ts";
import { checkFinite, checkFirstStep } from "./checks.ts";
import type { Engine } from "./engine.ts";
import { joinBatches, joinMismatched, takeLogProbs } from "./join.ts";
import { type LoopOptions, type RunState, startOfRun, STEPS_UNDER_WAY } from "./loop_options.ts";
import { type BatchLogProbs, type Metrics, preferenceMetrics } from "./metrics.ts";
import { createRate, type Rate } from "./rate.ts";
import { countTokens, recordMarks } from "./records.ts";
import { noteMeasurement } from "./reference_update.ts";
import { type PendingStep, submitStep } from "./step.ts";

export { type LoopOptions, type RunState, startOfRun };

/** What the loop tells. */
export type LoopEvent =
  | { readonly type: "metrics"; readonly row: Metrics }
  /** All steps up to `state.step` are done and none beyond; the device holds exactly that state. */
  | { readonly type: "pause" };

/**
 * Trains to the end of the run, yielding metrics in order of steps.
 *
 * @throws If a loss, log-prob or gradient is not finite, or the first loss is not what policy = reference makes it; the
 * message names the step and the records' lines. A step that is not finite changes neither weights nor moments, but the
 * few after it that are under way when it is noticed may have.
 */
export async function* trainSteps(engine: Engine, options: LoopOptions): AsyncGenerator<LoopEvent> {
  const { examples, state, batchSize, accumulate, steps, pauseAfter } = options;
  const takeBatch = createBatches({ ...options, count: examples.length, size: batchSize * accumulate });
  const pending: PendingStep[] = [];
  const rate = createRate();
  const finish = createFinisher(engine, { ...options, rate });
  while (state.step < steps) {
    const { indices, next } = takeBatch(state.position);
    const step = Array.from(indices, (index) => examples.at(index)!);
    try {
      pending.push(await submitStep(engine, { options, examples: step, next }));
    } catch (error) {
      // A loss on the host fails at once, when the steps before it are still to be told of.
      for (const earlier of pending) yield { type: "metrics", row: await finish(earlier) };
      throw error;
    }
    const pause = state.step === steps || (pauseAfter?.(state.step) ?? false);
    while (pending.length > (pause ? 0 : STEPS_UNDER_WAY)) {
      yield { type: "metrics", row: await finish(pending.shift()!) };
    }
    if (!pause) continue;
    yield { type: "pause" };
    rate.restart();
  }
}

/** Reads a step's results once the device has them, checks them, and makes its row of metrics. */
function createFinisher(engine: Engine, options: LoopOptions & { rate: Rate }) {
  const { loss, sequencesPerRecord, sameStart, rate } = options;
  return async (pending: PendingStep): Promise<Metrics> => {
    const outputs = await Promise.all(pending.micro.map(({ run }) => run.read()));
    const mismatched = await Promise.all(pending.mismatched.map(({ run }) => run.read()));
    const { norm } = await pending.update.read();
    engine.device.check();

    const parts = pending.micro.map(({ records, lengths }, i) => {
      const count = records * sequencesPerRecord;
      return {
        ...takeLogProbs(outputs[i]!, count, pending),
        lengths: lengths.subarray(0, count),
        labels: new Float32Array(0),
      };
    });
    const joined: BatchLogProbs = {
      ...joinBatches(parts),
      ...recordMarks(pending.examples),
      ...joinMismatched(mismatched, pending.mismatched),
    };
    const losses = outputs.flatMap(({ losses }, i) => [...losses!.subarray(0, pending.micro[i]!.records)]);
    const total = pending.loss ?? losses.reduce((sum, value) => sum + value, 0);
    checkFinite({ step: pending.step, examples: pending.examples, losses, batch: joined, norm: norm![0]! });
    if (pending.step === 1 && sameStart) {
      checkFirstStep({ loss, batch: joined, total, sequencesPerRecord, examples: pending.examples });
    }
    const row: Metrics = {
      step: pending.step,
      epoch: pending.epoch,
      loss: total,
      grad_norm: norm![0]!,
      learning_rate: pending.learningRate,
      ...preferenceMetrics(loss, joined, { sequencesPerRecord }),
      ...(joined.reference ? pending.reference.metrics : {}),
      tokens_per_second: rate.add(countTokens(pending.examples)),
    };
    noteMeasurement(row, options);
    return row;
  };
}
