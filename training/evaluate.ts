/** Metrics on held-out records. */
import { fitShape } from "../data/buckets.ts";
import { type BatchShape, measureGroups, type PackedGroup, packGroups } from "../data/pack.ts";
import type { Engine, PolicyName } from "./engine.ts";
import { joinBatches } from "./loop.ts";
import {
  type BatchLogProbs,
  evaluateLoss,
  type Metrics,
  preferenceMetrics,
  type TrainingLoss,
} from "./metrics.ts";
import { mismatchedGroups } from "./plan.ts";
import { microBatches, type TrainingExample } from "./records.ts";

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions {
  /** Held-out records. */
  readonly examples: readonly TrainingExample[];
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
}

/**
 * Scores held-out records under policy, reference and initial reference.
 *
 * @returns The metrics of a training batch with `eval_` before each name; `eval_logps/accuracies` is the share of pairs
 * whose chosen completion has the higher log-prob under the policy itself, which needs no reference.
 */
export async function evaluate(engine: Engine, options: EvaluateOptions): Promise<Metrics> {
  const { examples, loss, sequencesPerRecord, hasReference } = options;
  const score = (groups: readonly PackedGroup[], policy: PolicyName) =>
    scoreGroups(engine, groups, { ...options, policy });
  const policy = await score(examples, "policy");
  const batch: BatchLogProbs = {
    ...joinBatches([policy]),
    labels: Float32Array.from(examples, ({ label }) => label),
    ...(hasReference
      ? {
        reference: (await score(examples, "reference")).policy,
        initial: (await score(examples, "initial")).policy,
      }
      : {}),
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

  async function scoreMismatched() {
    if (typeof loss === "function" || !loss.needs.mismatched) return {};
    const groups = mismatchedGroups(examples);
    const [own, reference] = [await score(groups, "policy"), await score(groups, "reference")];
    return { mismatched: { policy: own.policy, reference: reference.policy } };
  }
}

/** Summed log-probs of groups of sequences under one policy, in batches. */
export async function scoreGroups(
  engine: Engine,
  groups: readonly PackedGroup[],
  { batchSize, shapes, policy }: { batchSize: number; shapes: readonly BatchShape[]; policy: PolicyName },
): Promise<BatchLogProbs> {
  const parts: BatchLogProbs[] = [];
  // A few batches at a time are under way, so that waiting for one doesn't leave the device idle.
  for (const batches of microBatches(microBatches(groups, batchSize), 4)) {
    const runs = batches.map((batch) => {
      const shape = fitShape(shapes, measureGroups(batch));
      const packed = packGroups(batch, { shape });
      const count = batch.reduce((sum, { completions }) => sum + completions.length, 0);
      return { count, lengths: packed.lengths, run: engine.score(packed, { policy, shape }) };
    });
    for (const { count, lengths, run } of runs) {
      const { sequence } = await run.read();
      parts.push({
        policy: sequence!.subarray(0, count),
        lengths: lengths.subarray(0, count),
        labels: new Float32Array(0),
      });
    }
  }
  return joinBatches(parts);
}
