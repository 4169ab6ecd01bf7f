import { tokenizeCompletions } from "@tr/align/data";
import type { Device } from "@tr/align/kernels";
import { compileLoss, sft } from "@tr/align/losses";
import { openModelDirectory, uploadDirectory, weightTensors, writeModelDirectory } from "@tr/align/models";
import { frozen } from "@tr/align/reference";
import { completionExamples, createEngine, planBatches, startOfRun, trainSteps } from "@tr/align/training";
import { type Order, supervisedRecords } from "./language.ts";
import { type Speaker, writeUntrained } from "./speaker.ts";

/** Options of {@linkcode teachSpeaker}. */
export interface TeachOptions {
  /** Directory for the model before and after. */
  readonly directory: string;
  /** What replies are written to; each is seen once. */
  readonly orders: readonly Order[];
  /** Replies in a step. */
  readonly batchSize: number;
  /** The peak of the learning rate, which then falls to 0. */
  readonly learningRate: number;
  /** Seed of the weights, the replies and their order. */
  readonly seed: number;
  /** Called after each step. */
  readonly onStep?: (progress: { step: number; steps: number; loss: number }) => void;
}

/**
 * Teaches an untrained model to speak by supervised fine-tuning, and writes it.
 *
 * @returns The directory of the model, which is the policy at the start of every run and its first reference.
 */
export async function teachSpeaker(
  device: Device,
  speaker: Speaker,
  options: TeachOptions,
): Promise<string> {
  const { directory, orders, batchSize, learningRate, seed, onStep } = options;
  const untrained = `${directory}/untrained`;
  await writeUntrained(speaker, { path: untrained, seed });
  const records = supervisedRecords(orders, { seed }).map((record, i) =>
    ({ kind: "sft", form: "text", line: i + 1, ...record }) as const
  );
  const examples = completionExamples(tokenizeCompletions(records, speaker.tokenizer).examples);
  const steps = Math.floor(examples.length / batchSize);
  const data = { steps, batchSize, accumulate: 1, seed, shuffle: true };
  const plan = planBatches(examples, data);
  const loss = compileLoss(sft());
  const engine = await createEngine(device, {
    config: speaker.config,
    loss,
    sequencesPerRecord: 1,
    reference: "none",
    optimizer: { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maxGradNorm: 2 },
    ...plan,
    maxLength: speaker.config.maxPositions,
  });
  const { parameters } = speaker;
  {
    using start = await openModelDirectory(untrained);
    await uploadDirectory(device, engine.sets.policy, { directory: start, parameters });
  }
  const events = trainSteps(engine, {
    ...data,
    loss,
    sequencesPerRecord: 1,
    examples,
    plan,
    schedule: { schedule: "cosine", learningRate, warmup: Math.ceil(steps / 20), steps },
    strategy: frozen(),
    initialEvery: 0,
    sameStart: false,
    state: startOfRun(),
  });
  for await (const event of events) {
    if (event.type === "metrics") onStep?.({ step: event.row.step!, steps, loss: event.row.loss! });
  }
  const path = `${directory}/model`;
  const tensors = weightTensors(device, engine.sets.policy, { parameters });
  await writeModelDirectory(path, {
    config: speaker.json,
    tensors,
    dtype: "F32",
    copyFrom: untrained,
    replace: true,
  });
  return path;
}
