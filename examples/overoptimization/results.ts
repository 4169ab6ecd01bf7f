import { writeFileAtomic } from "@tr/align/models";
import { type Experiment, type Grid, type Setting, settingId } from "./settings.ts";
import type { TrainSummary } from "./train.ts";

/** What a policy is like after some steps; arrays have a number for each sample, two samples an order. */
export interface Checkpoint {
  /** Optimizer steps; 0 is the model after supervised fine-tuning. */
  readonly step: number;
  /** Gold rewards. */
  readonly gold: readonly number[];
  /** Exact KL to the initial policy along each sample, in nats. */
  readonly kl: readonly number[];
  /** Log-ratio to the initial policy, in nats. */
  readonly logRatio: readonly number[];
  /** Tokens of each reply, its end included. */
  readonly lengths: readonly number[];
  /** Means over the samples of what replies consist of. */
  readonly parts: Readonly<Record<string, number>>;
  /** Share of distinct pairs of words among all. */
  readonly distinct2: number;
  /** Mean BLEU of a reply with the others as references. */
  readonly selfBleu: number;
}

/** One run: a policy trained with a setting and a seed, and what it was like on the way. */
export interface RunResult {
  /** What the run shares with all others. */
  readonly experiment: Experiment;
  /** What it doesn't. */
  readonly setting: Setting;
  /** Its seed. */
  readonly seed: number;
  /** The start, and each checkpoint. */
  readonly checkpoints: readonly Checkpoint[];
  /** What training says of itself; its last rows. */
  readonly training: TrainSummary;
  /** A few replies of the last checkpoint. */
  readonly samples: readonly { readonly prompt: string; readonly reply: string }[];
}

/** Path of a run's result. */
export function resultPath(
  directory: string,
  { setting, seed }: Pick<RunResult, "setting" | "seed">,
): string {
  return `${directory}/runs/${settingId(setting)}-seed${seed}.json`;
}

/** Writes a result, whole or not at all, so that what is there is finished. */
export async function writeResult(directory: string, result: RunResult): Promise<void> {
  await Deno.mkdir(`${directory}/runs`, { recursive: true });
  await writeFileAtomic(resultPath(directory, result), JSON.stringify(result) + "\n");
}

/** Reads a result; null if the run isn't finished. */
export async function readResult(
  directory: string,
  run: Pick<RunResult, "setting" | "seed">,
): Promise<RunResult | null> {
  const text = await readIfThere(resultPath(directory, run));
  return text === null ? null : JSON.parse(text);
}

/**
 * Notes in a directory what its results and its supervised model are made with.
 *
 * @throws Error if they were made with something else.
 */
export async function claimExperiment(directory: string, experiment: Experiment): Promise<void> {
  await checkExperiment(directory, experiment);
  await Deno.mkdir(directory, { recursive: true });
  await writeFileAtomic(experimentPath(directory), JSON.stringify(experiment, null, 2) + "\n");
}

async function checkExperiment(directory: string, experiment: Experiment): Promise<void> {
  const path = experimentPath(directory);
  const former = await readIfThere(path);
  if (former === null || JSON.stringify(JSON.parse(former)) === JSON.stringify(experiment)) return;
  throw new Error(
    `${path}: the runs there were made with other settings; remove ${directory}, or choose another`,
  );
}

function experimentPath(directory: string): string {
  return `${directory}/experiment.json`;
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Reads the results of a whole grid.
 *
 * @throws Error if a run is missing, or the results are of another experiment.
 */
export async function readGrid(
  directory: string,
  { grid: { settings, seeds }, experiment }: { grid: Grid; experiment: Experiment },
): Promise<RunResult[]> {
  await checkExperiment(directory, experiment);
  const results: RunResult[] = [];
  for (const setting of settings) {
    for (const seed of seeds) {
      const result = await readResult(directory, { setting, seed });
      if (result === null) {
        throw new Error(
          `${resultPath(directory, { setting, seed })}: there is no such result; run without --report first`,
        );
      }
      results.push(result);
    }
  }
  return results;
}
