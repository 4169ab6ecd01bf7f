/** Metrics on held-out records. */
import { fitShape } from "../data/buckets.ts";
import { type BatchShape, measureGroups, type PackedBatch, type PackedGroup } from "../data/pack.ts";
import type { MismatchOptions } from "../data/mismatch.ts";
import type { PendingRun } from "../kernels/program.ts";
import type { Engine } from "./engine.ts";
import { joinBatches, takeLogProbs } from "./join.ts";
import {
  type BatchLogProbs,
  evaluateLoss,
  type Metrics,
  preferenceMetrics,
  type TrainingLoss,
} from "./metrics.ts";
import type { Examples } from "./examples.ts";
import { mismatchedGroups } from "./plan.ts";
import { microBatches, recordMarks } from "./records.ts";

/** Batches submitted before the first is read, so that waiting for one doesn't leave the device idle. */
const BATCHES_UNDER_WAY = 4;

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions {
  /** Held-out records. */
  readonly examples: Examples;
  /** The loss to report. */
  readonly loss: TrainingLoss;
  /** Completions in a record. */
  readonly sequencesPerRecord: 1 | 2;
  /** Records scored at a time. */
  readonly batchSize: number;
  /** The shapes that the engine was built with. */
  readonly shapes: readonly BatchShape[];
  /** Whether there is a reference. */
  readonly hasReference: boolean;
  /** How prompts with another record's completion are kept within length, as in training. */
  readonly mismatch?: MismatchOptions;
}

/**
 * Scores held-out records under policy, reference and initial reference.
 *
 * @returns The metrics of a training batch with `eval_` before each name; `eval_logps/accuracies` is the share of pairs
 * whose chosen completion has the higher log-prob under the policy itself, which needs no reference.
 */
export async function evaluate(engine: Engine, options: EvaluateOptions): Promise<Metrics> {
  const { loss, sequencesPerRecord, hasReference } = options;
  const examples = [...options.examples];
  const batch: BatchLogProbs = {
    ...await runGroups(
      examples,
      { ...options, engine },
      (packed, shape) =>
        hasReference ? engine.compare(packed, { shape }) : scorePolicy(engine, packed, shape),
    ),
    ...recordMarks(examples),
    ...(await scoreMismatched()),
  };
  const metrics: Metrics = {
    loss: evaluateLoss(loss, batch, { sequencesPerRecord, against: batch.reference }).loss,
    ...preferenceMetrics(loss, batch, { sequencesPerRecord }),
  };
  if (sequencesPerRecord === 2) {
    const wins = examples.filter((_, i) => batch.policy[2 * i]! > batch.policy[2 * i + 1]!);
    metrics["logps/accuracies"] = wins.length / examples.length;
  }
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value]));

  async function scoreMismatched(): Promise<Pick<BatchLogProbs, "mismatched">> {
    if (typeof loss === "function" || !loss.needs.mismatched) return {};
    const { policy, reference } = await runGroups(
      mismatchedGroups(examples, options.mismatch),
      { ...options, engine },
      (packed, shape) => engine.compare(packed, { shape }),
    );
    return { mismatched: { policy, reference: reference! } };
  }
}

/** The policy's log-probs under the name that a comparison gives them. */
function scorePolicy(engine: Engine, packed: PackedBatch, shape: BatchShape): PendingRun {
  const run = engine.score(packed, { policy: "policy", shape });
  return {
    async read() {
      const { sequence, log_weights } = await run.read();
      return { policy: sequence!, ...(log_weights ? { log_weights } : {}) };
    },
  };
}

/** Runs groups of sequences in batches, a few of which are under way at a time, and joins what comes back. */
async function runGroups(
  groups: readonly PackedGroup[],
  { engine, batchSize, shapes }: Pick<EvaluateOptions, "batchSize" | "shapes"> & { engine: Engine },
  run: (packed: PackedBatch, shape: BatchShape) => PendingRun,
): Promise<BatchLogProbs> {
  const parts: BatchLogProbs[] = [];
  for (const batches of microBatches(microBatches(groups, batchSize), BATCHES_UNDER_WAY)) {
    const runs = batches.map((batch) => {
      const shape = fitShape(shapes, measureGroups(batch));
      const packed = engine.pack(batch, shape);
      const count = batch.reduce((sum, { completions }) => sum + completions.length, 0);
      return { count, lengths: packed.lengths, pending: run(packed, shape) };
    });
    for (const { count, lengths, pending } of runs) {
      parts.push({
        ...takeLogProbs(await pending.read(), count),
        lengths: lengths.subarray(0, count),
        labels: new Float32Array(0),
      });
    }
  }
  return joinBatches(parts);
}
