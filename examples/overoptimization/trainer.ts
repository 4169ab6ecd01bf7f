import { type BatchShape, chooseShapes, measureGroups, type PackedGroup } from "@tr/align/data";
import type { Device } from "@tr/align/kernels";
import { type CompiledLoss, compileLoss, dpo, ipo, ktoPaired, type Loss } from "@tr/align/losses";
import { createGenerator, type Generator, openModelDirectory, uploadDirectory } from "@tr/align/models";
import {
  createEngine,
  type Engine,
  pairExamples,
  planBatches,
  type TrainingExample,
} from "@tr/align/training";
import type { Preference } from "./preferences.ts";
import { MAX_REPLY_TOKENS, type Speaker } from "./speaker.ts";

/** Losses of the experiment, as the paper's experiments have them. */
export type LossName = "dpo" | "ipo" | "kto";

/** What trains and samples policies of one loss, again and again from the same start. */
export interface Trainer {
  /** State and programs on the device. */
  readonly engine: Engine;
  /** The loss. */
  readonly loss: CompiledLoss;
  /** Samples from the policy as it is. */
  readonly generator: Generator;
  /** Shapes of its batches. */
  readonly shapes: readonly BatchShape[];
  /** Puts policy, reference and optimizer back to the start. */
  reset(): Promise<void>;
}

/** The definition of a loss. */
export function lossOf(name: LossName, { beta }: { beta: number }): Loss {
  switch (name) {
    case "dpo":
      return dpo({ beta });
    case "ipo":
      return ipo({ beta, average: "sum" });
    case "kto":
      return ktoPaired({ beta });
  }
}

/** The pairs as the engine takes them. */
export function examplesOf(preferences: readonly Preference[]): TrainingExample[] {
  return pairExamples(preferences.map(({ chosen, rejected }, i) => ({
    line: i + 1,
    prompt: Int32Array.from(chosen.prompt),
    chosen: Int32Array.from(chosen.completion),
    rejected: Int32Array.from(rejected.completion),
  })));
}

/**
 * The shapes that hold every batch of several sets of pairs, each trained on with its index as the seed, and every batch of samples, however long they become.
 *
 * @param options.longestPrompt Tokens of the longest prompt that samples are drawn for.
 */
export function shapesOf(
  sets: readonly (readonly TrainingExample[])[],
  options: { batchSize: number; steps: number; longestPrompt: number },
): BatchShape[] {
  const { batchSize, steps, longestPrompt } = options;
  const trained = sets.flatMap((examples, seed) =>
    planBatches(examples, { steps, batchSize, accumulate: 1, seed, shuffle: true }).shapes
  );
  const longest: PackedGroup = {
    prompt: new Int32Array(longestPrompt),
    completions: [new Int32Array(MAX_REPLY_TOKENS), new Int32Array(MAX_REPLY_TOKENS)],
  };
  return chooseShapes([...trained, measureGroups(Array<PackedGroup>(batchSize).fill(longest))]);
}

/** Builds a trainer; policies start from the model in a directory. */
export async function createTrainer(
  device: Device,
  options: {
    speaker: Speaker;
    start: string;
    loss: Loss;
    shapes: readonly BatchShape[];
    maxGradNorm: number;
    sequences: number;
  },
): Promise<Trainer> {
  const { speaker, shapes, maxGradNorm, start, sequences } = options;
  const { config, parameters } = speaker;
  const loss = compileLoss(options.loss);
  const engine = await createEngine(device, {
    config,
    loss,
    sequencesPerRecord: 2,
    // Also where it is never moved, so that one engine serves every strategy.
    reference: "moving",
    optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maxGradNorm },
    shapes,
    maxLength: config.maxPositions,
  });
  const generator = await createGenerator(device, {
    config,
    weights: engine.weights("policy"),
    maxSequences: sequences,
    maxLength: 2 * MAX_REPLY_TOKENS,
  });
  return {
    engine,
    loss,
    generator,
    shapes,
    async reset() {
      using directory = await openModelDirectory(start);
      await uploadDirectory(device, engine.sets.policy, { directory, parameters });
      engine.copyPolicyToReference();
      engine.resetOptimizer();
    },
  };
}
