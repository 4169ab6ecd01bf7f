/** The training loop: batches in, one row of metrics a step out, a few steps late so that the GPU never waits. */
import { fitShape } from "../data/buckets.ts";
import { type BatchShape, measureGroups, type PackedGroup, packGroups } from "../data/pack.ts";
import { createBatches, type DataPosition } from "../data/position.ts";
import type { PendingRun, ProgramOutputs } from "../kernels/program.ts";
import type { ReferenceStrategy } from "../reference/strategy.ts";
import { checkFinite, checkFirstStep, checkLogProbs } from "./checks.ts";
import type { Engine } from "./engine.ts";
import {
  type BatchLogProbs,
  evaluateLoss,
  type Metrics,
  preferenceMetrics,
  type TrainingLoss,
} from "./metrics.ts";
import { type BatchPlan, type BatchPlanOptions, mismatchedGroups } from "./plan.ts";
import { chosenTokens, countTokens, microBatches, type TrainingExample } from "./records.ts";
import { learningRateAt, type ScheduleOptions } from "./schedule.ts";

/** What of a run changes from step to step, besides the tensors; a checkpoint keeps it. */
export interface RunState {
  /** Optimizer steps completed. */
  step: number;
  /** Where the next batch starts. */
  position: DataPosition;
  /** How often the reference has moved. */
  referenceUpdates: number;
}

/** What the loop needs besides the engine. */
export interface LoopOptions extends BatchPlanOptions {
  /** The loss that the engine was built for, or a function of the user's own. */
  readonly loss: TrainingLoss;
  /** Completions in a record. */
  readonly sequencesPerRecord: 1 | 2;
  /** The training records. */
  readonly examples: readonly TrainingExample[];
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

/** What the loop tells. */
export type LoopEvent =
  | { readonly type: "metrics"; readonly row: Metrics }
  /** All steps up to `state.step` are done and none beyond; the device holds exactly that state. */
  | { readonly type: "pause" };

/** Steps that may be under way on the device before the oldest one's metrics are read. */
const LAG = 3;

interface PendingStep {
  step: number;
  examples: readonly TrainingExample[];
  epoch: number;
  learningRate: number;
  alpha: number;
  referenceUpdates: number;
  measuresInitial: boolean;
  micro: { run: PendingRun; records: number; lengths: Float32Array }[];
  mismatched: { run: PendingRun; records: number }[];
  update: PendingRun;
  /** The loss, where the host has computed it. */
  loss: number | undefined;
}

/**
 * Trains to the end of the run, yielding metrics in order of steps.
 *
 * @throws If a loss, log-prob or gradient is not finite, or the first loss is not what policy = reference makes it; the
 * message names the step and the records' lines. A step that is not finite changes neither weights nor moments, but the
 * few after it that are under way when it is noticed may have.
 */
export async function* trainSteps(engine: Engine, options: LoopOptions): AsyncGenerator<LoopEvent> {
  const { examples, state, batchSize, accumulate, seed, shuffle, steps, pauseAfter } = options;
  const takeBatch = createBatches({ count: examples.length, size: batchSize * accumulate, seed, shuffle });
  const pending: PendingStep[] = [];
  const rate = createRate();
  const finish = createFinisher(engine, { ...options, rate });
  while (state.step < steps) {
    const { indices, next } = takeBatch(state.position);
    const step = Array.from(indices, (index) => examples[index]!);
    try {
      pending.push(await submitStep(engine, { options, examples: step }));
    } catch (error) {
      // A loss on the host fails at once, when the steps before it are still to be told of.
      for (const earlier of pending) yield { type: "metrics", row: await finish(earlier) };
      throw error;
    }
    state.position = next;
    const pause = state.step === steps || (pauseAfter?.(state.step) ?? false);
    while (pending.length > (pause ? 0 : LAG)) yield { type: "metrics", row: await finish(pending.shift()!) };
    if (!pause) continue;
    yield { type: "pause" };
    rate.restart();
  }
}

/** Submits all of one step's work and moves the state on; waits only where a host loss has to see log-probs first. */
async function submitStep(
  engine: Engine,
  { options, examples }: { options: LoopOptions; examples: readonly TrainingExample[] },
): Promise<PendingStep> {
  const { state, schedule, strategy, steps, plan, batchSize, loss, initialEvery, accumulate } = options;
  const step = state.step + 1;
  const shares = { stepRecords: examples.length, stepTokens: chosenTokens(examples) };
  const packed = microBatches(examples, batchSize).map((micro) => ({
    ...pack(micro, plan.shapes),
    examples: micro,
  }));

  engine.beginStep();
  const mismatched: PendingStep["mismatched"] = [];
  if (typeof loss !== "function" && loss.needs.mismatched) {
    for (const groups of microBatches(mismatchedGroups(examples, options.mismatch), batchSize)) {
      const { batch, shape } = pack(groups, plan.mismatchedShapes);
      const run = engine.accumulateMismatched(batch, { shape, records: groups.length, ...shares });
      mismatched.push({ run, records: groups.length });
    }
  }
  const measuresInitial = initialEvery > 0 && step % initialEvery === 0;
  // Before the first update the initial reference is the current one.
  const measureInitial = measuresInitial && state.referenceUpdates > 0;
  const onHost = needsHost(loss, accumulate)
    ? await accumulateOnHost(engine, { options, packed, examples })
    : undefined;
  const runs = onHost?.runs ??
    packed.map(({ batch, shape, examples }) => {
      const labels = Float32Array.from(examples, ({ label }) => label);
      return engine.accumulate(batch, { labels, shape, records: examples.length, measureInitial, ...shares });
    });
  const learningRate = learningRateAt(step, schedule);
  const update = engine.update({ learningRate, step });
  const alpha = strategy({ step, totalSteps: steps, epoch: state.position.epoch });
  const referenceUpdates = state.referenceUpdates;
  if (alpha > 0) {
    engine.moveReference(alpha);
    state.referenceUpdates++;
  }
  state.step = step;
  return {
    step,
    examples,
    epoch: state.position.epoch,
    learningRate,
    alpha,
    referenceUpdates: alpha > 0 ? referenceUpdates + 1 : referenceUpdates,
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
}

/**
 * Whether the loss has to be computed on the host between the forward and the backward pass: a user's own always, and
 * one with statistics over the whole batch if that comes in several micro-batches.
 */
export function needsHost(loss: TrainingLoss, accumulate: number): boolean {
  if (typeof loss === "function") return true;
  return accumulate > 1 && loss.statistics.some(({ source }) => source === "records");
}

function pack(groups: readonly PackedGroup[], shapes: readonly BatchShape[]) {
  const shape = fitShape(shapes, measureGroups(groups));
  return { shape, batch: packGroups(groups, { shape }) };
}

/** Log-probs of all micro-batches first, the loss over the whole step on the host, then a backward pass for each. */
async function accumulateOnHost(
  engine: Engine,
  { options, packed, examples }: {
    options: LoopOptions;
    packed: readonly (ReturnType<typeof pack> & { examples: readonly TrainingExample[] })[];
    examples: readonly TrainingExample[];
  },
): Promise<{ runs: PendingRun[]; loss: number }> {
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
      labels: Float32Array.from(examples, ({ label }) => label),
    });
  }
  const whole = joinBatches(parts);
  checkLogProbs({ step: options.state.step + 1, examples, batch: whole });
  const evaluated = evaluateLoss(loss, whole, { sequencesPerRecord, against: whole.reference });
  const { losses, gradients } = evaluated;
  let record = 0;
  const runs = packed.map(({ batch, shape, examples }, i) => {
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
  return { runs, loss: evaluated.loss };
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
      labels: Float32Array.from(pending.examples, ({ label }) => label),
      ...joinMismatched(pending.mismatched, mismatched),
    };
    const losses = outputs.flatMap(({ losses }, i) => [...losses!.subarray(0, pending.micro[i]!.records)]);
    const total = pending.loss ?? losses.reduce((sum, value) => sum + value, 0);
    checkFinite({ step: pending.step, examples: pending.examples, losses, batch: joined, norm: norm![0]! });
    if (pending.step === 1 && sameStart) {
      checkFirstStep({ loss, batch: joined, total, sequencesPerRecord, examples: pending.examples });
    }
    return {
      step: pending.step,
      epoch: pending.epoch,
      loss: total,
      grad_norm: norm![0]!,
      learning_rate: pending.learningRate,
      ...preferenceMetrics(loss, joined, { sequencesPerRecord }),
      ...(joined.reference
        ? { "reference/alpha": pending.alpha, "reference/updates": pending.referenceUpdates }
        : {}),
      tokens_per_second: rate.add(countTokens(pending.examples)),
    };
  };
}

/** Steps that a rate is averaged over: results of several steps can arrive at once. */
const RATE_WINDOW = 8;

/** Measures tokens a second over the last few steps. */
interface Rate {
  /** The rate, given the tokens of one more step. */
  add(tokens: number): number;
  /** Starts anew after a pause, which doesn't count. */
  restart(): void;
}

function createRate(): Rate {
  let times = [performance.now()];
  let counts: number[] = [];
  return {
    add(tokens) {
      times.push(performance.now());
      counts.push(tokens);
      if (counts.length > RATE_WINDOW) {
        times.shift();
        counts.shift();
      }
      const seconds = (times.at(-1)! - times[0]!) / 1000;
      return counts.reduce((sum, count) => sum + count, 0) / seconds;
    },
    restart() {
      times = [performance.now()];
      counts = [];
    },
  };
}

/**
 * The log-probs in a program's outputs, without those of padding.
 *
 * @param count Sequences that are not padding.
 * @param options.measuresInitial Whether to say something about the initial reference; what the outputs lack of it is
 * that of the current one, which then is still the same. Default true.
 */
export function takeLogProbs(
  outputs: ProgramOutputs,
  count: number,
  { measuresInitial = true }: { measuresInitial?: boolean } = {},
): Omit<BatchLogProbs, "lengths" | "labels"> {
  const { policy, reference, initial = reference } = outputs;
  const { "kl/reference": referenceDivergence, "kl/initial": initialDivergence = referenceDivergence } =
    outputs;
  const cut = (values: Float32Array) => values.subarray(0, count);
  return {
    policy: cut(policy!),
    ...(reference ? { reference: cut(reference) } : {}),
    ...(referenceDivergence ? { referenceDivergence: cut(referenceDivergence) } : {}),
    ...(measuresInitial && initial ? { initial: cut(initial) } : {}),
    ...(measuresInitial && initialDivergence ? { initialDivergence: cut(initialDivergence) } : {}),
  };
}

/** The arrays of a batch that have one number a sequence, and the labels. */
const JOINED = [
  "policy",
  "lengths",
  "labels",
  "reference",
  "initial",
  "referenceDivergence",
  "initialDivergence",
] as const;

/** Puts the micro-batches of a step end to end. */
export function joinBatches(parts: readonly BatchLogProbs[]): BatchLogProbs {
  const given = JOINED.filter((name) => parts[0]?.[name] !== undefined);
  return Object.fromEntries(
    given.map((name) => [name, concatenate(parts.map((part) => part[name]!))]),
  ) as unknown as BatchLogProbs;
}

function joinMismatched(runs: PendingStep["mismatched"], outputs: readonly ProgramOutputs[]) {
  if (runs.length === 0) return {};
  const join = (name: "policy" | "reference") =>
    concatenate(outputs.map((output, i) => output[name]!.subarray(0, runs[i]!.records)));
  return { mismatched: { policy: join("policy"), reference: join("reference") } };
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
