import type { BatchShape } from "@tr/align/data";
import type { Device } from "@tr/align/kernels";
import { openModelDirectory } from "@tr/align/models";
import type { TrainingExample } from "@tr/align/training";
import { type Order, promptOf, shuffledOrders } from "./language.ts";
import { measurePolicy } from "./measure_policy.ts";
import { labelPreferences, type Preference } from "./preferences.ts";
import { drawReplies, promptTokens } from "./replies.ts";
import { type Checkpoint, claimExperiment, readResult, type RunResult, writeResult } from "./results.ts";
import { type Experiment, type Grid, type Setting, strategyOf } from "./settings.ts";
import { createSpeaker } from "./speaker.ts";
import { teachSpeaker } from "./supervised.ts";
import { trainPolicy } from "./train.ts";
import { createTrainer, examplesOf, lossOf, shapesOf, type Trainer } from "./trainer.ts";

/** Sequences that are sampled together. */
const SEQUENCES = 192;
/** Replies that a result shows. */
const SHOWN = 4;

/** What the experiment tells while it goes on. */
export type ExperimentEvent =
  | { readonly type: "supervised"; readonly step: number; readonly steps: number; readonly loss: number }
  | { readonly type: "pairs"; readonly preferences: readonly (readonly Preference[])[] }
  | { readonly type: "run"; readonly result: RunResult; readonly wasThere: boolean };

/** Options of {@linkcode carryOut}. */
export interface CarryOutOptions {
  /** Where results go, and where finished runs are looked for. */
  readonly directory: string;
  /** What holds for all runs. */
  readonly experiment: Experiment;
  /** What is run. */
  readonly grid: Grid;
  /** Told what happens. */
  readonly onEvent?: (event: ExperimentEvent) => void;
}

/**
 * Carries out all runs of a grid that aren't finished yet.
 *
 * One supervised model is the start of all of them. Pairs depend on the seed alone, so that settings are compared on the
 * same pairs in the same order.
 *
 * @returns The results of the whole grid, setting by setting.
 * @throws Error if results of another experiment are in the directory.
 */
export async function carryOut(device: Device, options: CarryOutOptions): Promise<RunResult[]> {
  const { directory, experiment, grid, onEvent = () => {} } = options;
  const { settings, seeds } = grid;
  await claimExperiment(directory, experiment);
  const speaker = createSpeaker();
  const deck = dealOrders(experiment);
  const model = `${directory}/supervised/model`;
  if (!await isModel(model)) {
    await teachSpeaker(device, speaker, {
      directory: `${directory}/supervised`,
      orders: deck.supervised,
      batchSize: experiment.supervisedBatch,
      learningRate: experiment.supervisedRate,
      seed: experiment.seed,
      onStep: (progress) => onEvent({ type: "supervised", ...progress }),
    });
  }

  const trainerOf = (setting: Pick<Setting, "loss" | "beta">, shapes: readonly BatchShape[]) =>
    createTrainer(device, {
      speaker,
      start: model,
      loss: lossOf(setting.loss, setting),
      shapes,
      maxGradNorm: experiment.maxGradNorm,
      sequences: Math.min(SEQUENCES, 2 * experiment.measuredOrders),
    });
  const preferences = await samplePairs();
  onEvent({ type: "pairs", preferences });
  const sets = preferences.map(examplesOf);
  const longestPrompt = Math.max(...deck.measured.map((order) => promptTokens(order, speaker).length));
  // Of all sets of pairs, also those that this grid leaves out: a run gives the same numbers in every grid.
  const shapes = shapesOf(sets, { ...experiment, longestPrompt });

  const results: RunResult[] = [];
  const starts = new Map<number, Checkpoint>();
  let trainer: { of: string; value: Trainer } | undefined;
  for (const setting of settings) {
    for (const seed of seeds) {
      const known = await readResult(directory, { setting, seed });
      const of = `${setting.loss} ${setting.beta}`;
      if (known === null && trainer?.of !== of) trainer = { of, value: await trainerOf(setting, shapes) };
      const result = known ?? await run(trainer!.value, { setting, seed, examples: sets[seed]! });
      if (known === null) await writeResult(directory, result);
      results.push(result);
      onEvent({ type: "run", result, wasThere: known !== null });
    }
  }
  return results;

  async function samplePairs(): Promise<Preference[][]> {
    const { generator, reset } = await trainerOf(settings[0]!, [{ rows: 32, slots: 32, sequences: 32 }]);
    await reset();
    const pairs: Preference[][] = [];
    for (const [seed, orders] of deck.compared.entries()) {
      const replies = await drawReplies(generator, {
        speaker,
        orders,
        each: 2,
        seed: samplingSeed(seed, "pairs"),
      });
      pairs.push(labelPreferences(replies, { temperature: experiment.temperature, seed }));
    }
    return pairs;
  }

  async function run(
    trainer: Trainer,
    { setting, seed, examples }: { setting: Setting; seed: number; examples: readonly TrainingExample[] },
  ): Promise<RunResult> {
    const measure = (step: number) =>
      measurePolicy(trainer, {
        step,
        speaker,
        orders: deck.measured,
        batchSize: experiment.batchSize,
        seed: samplingSeed(seed, "measured"),
      });
    if (!starts.has(seed)) {
      await trainer.reset();
      starts.set(seed, (await measure(0)).checkpoint);
    }
    const checkpoints = [starts.get(seed)!];
    let samples: RunResult["samples"] = [];
    const training = await trainPolicy(trainer, {
      ...experiment,
      examples,
      seed,
      strategy: strategyOf(setting.reference),
      onCheckpoint: async (step) => {
        const { checkpoint, replies } = await measure(step);
        checkpoints.push(checkpoint);
        samples = Array.from({ length: Math.min(SHOWN, deck.measured.length) }, (_, i) => {
          const { order, text } = replies[2 * i]!;
          return { prompt: promptOf(order), reply: text };
        });
      },
    });
    return { experiment, setting, seed, checkpoints, training, samples };
  }
}

/** Deals orders so that no order is in two parts, or in two sets of pairs. */
function dealOrders(
  experiment: Experiment,
): { supervised: Order[]; measured: Order[]; compared: Order[][] } {
  const { seed, supervisedOrders, supervisedReplies, measuredOrders, pairs, pairSets } = experiment;
  const deck = shuffledOrders(seed);
  const wanted = supervisedOrders + measuredOrders + pairSets * pairs;
  if (wanted > deck.length) {
    throw new RangeError(
      `${wanted} orders wanted, but only ${deck.length} different ones exist; ask for fewer`,
    );
  }
  const first = supervisedOrders + measuredOrders;
  return {
    supervised: Array(supervisedReplies).fill(deck.slice(0, supervisedOrders)).flat(),
    measured: deck.slice(supervisedOrders, first),
    compared: Array.from(
      { length: pairSets },
      (_, i) => deck.slice(first + i * pairs, first + (i + 1) * pairs),
    ),
  };
}

/** Seeds of samples, a different one for each purpose. */
function samplingSeed(seed: number, purpose: "pairs" | "measured"): number {
  return 2 * seed + (purpose === "pairs" ? 0 : 1);
}

async function isModel(path: string): Promise<boolean> {
  try {
    using _ = await openModelDirectory(path);
    return true;
  } catch {
    return false;
  }
}
