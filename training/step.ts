/** One optimizer step: everything that is submitted for it. */
import { fitShape } from "../data/buckets.ts";
import { type BatchShape, measureGroups, type PackedGroup } from "../data/pack.ts";
import { type DataPosition, epochsDone } from "../data/position.ts";
import type { PendingRun, ProgramOutputs } from "../kernels/program.ts";
import { checkLogProbs } from "./checks.ts";
import type { Engine } from "./engine.ts";
import { joinBatches, takeLogProbs } from "./join.ts";
import type { LoopOptions } from "./loop_options.ts";
import { type BatchLogProbs, evaluateLoss, type TrainingLoss } from "./metrics.ts";
import { mismatchedGroups } from "./plan.ts";
import { chosenTokens, microBatches, recordMarks, type TrainingExample } from "./records.ts";
import { type ReferenceUpdate, updateReference } from "./reference_update.ts";
import { learningRateAt } from "./schedule.ts";

/** A step that was submitted and whose results are still to be read. */
export interface PendingStep {
  step: number;
  examples: readonly TrainingExample[];
  /** Passes over the data when the step is done. */
  epoch: number;
  learningRate: number;
  reference: ReferenceUpdate;
  measuresInitial: boolean;
  micro: { run: PendingRun; records: number; lengths: Float32Array }[];
  mismatched: { run: PendingRun; records: number }[];
  update: PendingRun;
  /** The loss, where the host has computed it. */
  loss: number | undefined;
}

/**
 * Submits all of one step's work and moves the state on, to where the next batch starts; waits only where a host loss has
 * to see log-probs first.
 */
export async function submitStep(
  engine: Engine,
  { options, examples, next }: {
    options: LoopOptions;
    examples: readonly TrainingExample[];
    next: DataPosition;
  },
): Promise<PendingStep> {
  const { state, schedule, plan, batchSize, loss, initialEvery, accumulate } = options;
  const step = state.step + 1;
  const shares = { stepRecords: examples.length, stepTokens: chosenTokens(examples) };
  const packed = microBatches(examples, batchSize).map((micro) => ({
    ...pack(engine, micro, plan.shapes),
    examples: micro,
  }));

  const measuresInitial = initialEvery > 0 && step % initialEvery === 0;
  // Before the first update the initial reference is the current one.
  const measureInitial = measuresInitial && state.referenceUpdates > 0;
  const onHost = needsHost(loss, accumulate)
    ? await lossOnHost(engine, { options, packed, examples })
    : undefined;
  return engine.together(() => {
    engine.beginStep();
    const mismatched: PendingStep["mismatched"] = [];
    if (typeof loss !== "function" && loss.needs.mismatched) {
      for (const groups of microBatches(mismatchedGroups(examples, options.mismatch), batchSize)) {
        const { batch, shape } = pack(engine, groups, plan.mismatchedShapes);
        const run = engine.accumulateMismatched(batch, { shape, records: groups.length, ...shares });
        mismatched.push({ run, records: groups.length });
      }
    }
    const runs = onHost?.accumulate() ??
      packed.map(({ batch, shape, examples }) => {
        const { labels, margins } = recordMarks(examples);
        return engine.accumulate(batch, {
          labels: typeof loss !== "function" && loss.needs.margins ? margins! : labels,
          shape,
          records: examples.length,
          measureInitial,
          ...shares,
        });
      });
    const learningRate = learningRateAt(step, schedule);
    const update = engine.update({ learningRate, step: ++state.optimizerSteps });
    const reference = updateReference(engine, { ...options, step, next });
    state.step = step;
    state.position = next;
    return {
      step,
      examples,
      epoch: epochsDone(next, { ...options, count: options.examples.length }),
      learningRate,
      reference,
      measuresInitial,
      micro: packed.map(({ batch, examples }, i) => ({
        run: runs[i]!,
        records: examples.length,
        lengths: batch.lengths,
      })),
      mismatched,
      update,
      loss: onHost?.loss,
    };
  });
}

/**
 * Whether the loss has to be computed on the host between the forward and the backward pass: a user's own always, and
 * one that looks at the whole batch, through statistics or ranks, if that comes in several micro-batches.
 */
export function needsHost(loss: TrainingLoss, accumulate: number): boolean {
  if (typeof loss === "function") return true;
  const looksAround = loss.matchings > 0 || loss.statistics.some(({ source }) => source === "records");
  return accumulate > 1 && looksAround;
}

function pack(engine: Engine, groups: readonly PackedGroup[], shapes: readonly BatchShape[]) {
  const shape = fitShape(shapes, measureGroups(groups));
  return { shape, batch: engine.pack(groups, shape) };
}

/** Log-probs of all micro-batches, the loss over the whole step on the host, and what then submits a backward pass for each. */
async function lossOnHost(
  engine: Engine,
  { options, packed, examples }: {
    options: LoopOptions;
    packed: readonly (ReturnType<typeof pack> & { examples: readonly TrainingExample[] })[];
    examples: readonly TrainingExample[];
  },
): Promise<{ loss: number; accumulate: () => PendingRun[] }> {
  const { loss, sequencesPerRecord } = options;
  const comparisons = packed.map(({ batch, shape }) => engine.compare(batch, { shape }));
  const compared: ProgramOutputs[] = [];
  const parts: BatchLogProbs[] = [];
  for (const [i, run] of comparisons.entries()) {
    const { batch, examples } = packed[i]!;
    compared.push(await run.read());
    parts.push({
      ...takeLogProbs(compared[i]!, examples.length * sequencesPerRecord),
      lengths: batch.lengths.subarray(0, examples.length * sequencesPerRecord),
      ...recordMarks(examples),
    });
  }
  const whole = joinBatches(parts);
  checkLogProbs({ step: options.state.step + 1, examples, batch: whole });
  const evaluated = evaluateLoss(loss, whole, { sequencesPerRecord, against: whole.reference });
  const { losses, gradients } = evaluated;
  const accumulate = () => {
    let record = 0;
    return packed.map(({ batch, shape, examples }, i) => {
      const derivatives = new Float32Array(shape.sequences);
      const shares = new Float32Array(examples.length);
      examples.forEach((_, j) => {
        derivatives[j * sequencesPerRecord] = gradients.chosen[record]!;
        if (sequencesPerRecord === 2) derivatives[j * 2 + 1] = gradients.rejected[record]!;
        shares[j] = losses[record]! / (whole.policy.length / sequencesPerRecord);
        record++;
      });
      const run = engine.accumulateSeeded(batch, { shape, derivatives });
      return {
        async read() {
          return { ...compared[i]!, ...await run.read(), losses: shares };
        },
      };
    });
  };
  return { loss: evaluated.loss, accumulate };
}
