import { mean } from "@tr/align/evaluation";
import type { ReferenceStrategy } from "@tr/align/reference";
import { startOfRun, type TrainingExample, trainSteps } from "@tr/align/training";
import type { Trainer } from "./trainer.ts";

/** Steps between two measurements against the initial reference, each of which costs a forward pass. */
const INITIAL_EVERY = 8;

/** How a policy is trained. */
export interface TrainOptions {
  /** The pairs. */
  readonly examples: readonly TrainingExample[];
  /** Optimizer steps. */
  readonly steps: number;
  /** Pairs in a step. */
  readonly batchSize: number;
  /** The learning rate after warm-up. */
  readonly learningRate: number;
  /** Steps in which it rises. */
  readonly warmup: number;
  /** Seed of the order of the pairs. */
  readonly seed: number;
  /** When the reference moves. */
  readonly strategy: ReferenceStrategy;
  /** Steps after which `onCheckpoint` is called. */
  readonly checkpoints: readonly number[];
  /** Measures the policy as it is after a step. */
  readonly onCheckpoint: (step: number) => Promise<void>;
}

/** What the training itself says, averaged over what was measured in the last quarter of its steps. */
export interface TrainSummary {
  /** How often the reference moved. */
  readonly updates: number;
  /** Share of the training pairs whose chosen reply has the higher reward against the initial reference. */
  readonly accuracy: number;
  /** Log-prob of the chosen replies. */
  readonly chosenLogProb: number;
  /** Log-prob of the rejected replies. */
  readonly rejectedLogProb: number;
}

/** Trains a policy from the start, stopping at checkpoints to let it be measured. */
export async function trainPolicy(trainer: Trainer, options: TrainOptions): Promise<TrainSummary> {
  const { engine, loss, shapes } = trainer;
  const { examples, steps, batchSize, learningRate, warmup, seed, strategy, checkpoints } = options;
  await trainer.reset();
  const state = startOfRun();
  const events = trainSteps(engine, {
    steps,
    batchSize,
    accumulate: 1,
    seed,
    shuffle: true,
    loss,
    sequencesPerRecord: 2,
    examples,
    plan: { shapes: [...shapes], mismatchedShapes: [] },
    // Constant, so that a checkpoint is what a shorter run would have given.
    schedule: { schedule: "constant", learningRate, warmup, steps },
    strategy,
    initialEvery: INITIAL_EVERY,
    sameStart: true,
    state,
    pauseAfter: (step) => checkpoints.includes(step),
  });
  const last: Record<string, number>[] = [];
  for await (const event of events) {
    if (event.type === "pause") await options.onCheckpoint(state.step);
    else if (event.row.step! > steps * 3 / 4) last.push(event.row);
  }
  const measured = (name: string) => mean(last.flatMap((row) => row[name] ?? []));
  return {
    updates: state.referenceUpdates,
    accuracy: measured("rewards_initial/accuracies"),
    chosenLogProb: measured("logps/chosen"),
    rejectedLogProb: measured("logps/rejected"),
  };
}
