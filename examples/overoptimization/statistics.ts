import { createRandom } from "@tr/align/data";
import { bootstrapStatistic, type Interval, mean } from "@tr/align/evaluation";
import type { Checkpoint, RunResult } from "./results.ts";

/** A number and how well it is known. */
export interface Measured {
  /** The estimate over all seeds. */
  readonly value: number;
  /** Its 95 % bootstrap interval. */
  readonly interval: Interval;
}

/** Replies to each order. */
const EACH = 2;
/** Times that seeds and orders are drawn anew. */
const RESAMPLES = 1000;

/** Numbers of samples by seed: two neighbours are replies to one order, and orders are the same for all seeds. */
export type BySeed = readonly (readonly number[])[];

/**
 * The mean over samples of several seeds.
 *
 * Its interval draws seeds anew, and within each the orders with both replies, since both vary: other pairs would give
 * another policy, and other orders other replies. With three or five seeds it is still rather too narrow than too wide.
 */
export function meanOverSeeds(values: BySeed): Measured {
  const byOrder = values.map(averageEach);
  const random = createRandom(0, { stream: 3 });
  return {
    value: mean(byOrder.map((orders) => mean(orders))),
    interval: bootstrapStatistic(byOrder.length, {
      resamples: RESAMPLES,
      statistic: (drawn) => {
        let sum = 0;
        for (const seed of drawn) {
          const orders = byOrder[seed]!;
          let own = 0;
          for (let i = 0; i < orders.length; i++) own += orders[random.below(orders.length)]!;
          sum += own / orders.length;
        }
        return sum / drawn.length;
      },
    }),
  };
}

function averageEach(values: readonly number[]): number[] {
  return Array.from(
    { length: values.length / EACH },
    (_, i) => mean(values.slice(i * EACH, (i + 1) * EACH)),
  );
}

/** a − b, sample by sample, where both were measured on the same orders with the same seeds. */
export function difference(a: BySeed, b: BySeed): BySeed {
  return a.map((values, seed) => values.map((value, i) => value - b[seed]![i]!));
}

/**
 * Gold rewards of a run where its KL first reaches a bound: each sample's, interpolated between the two checkpoints
 * around it; null if the run never gets there.
 */
export function goldAtDivergence({ checkpoints }: RunResult, bound: number): number[] | null {
  const divergences = checkpoints.map(({ kl }) => mean(kl));
  const after = divergences.findIndex((kl) => kl >= bound);
  if (after < 1) return null;
  const [low, high] = [divergences[after - 1]!, divergences[after]!];
  const share = (bound - low) / (high - low);
  const [before, then] = [checkpoints[after - 1]!, checkpoints[after]!];
  return before.gold.map((gold, i) => (1 - share) * gold + share * then.gold[i]!);
}

/** The gold rewards at a KL for all seeds; null unless all get there. */
export function goldAtDivergences(runs: readonly RunResult[], bound: number): BySeed | null {
  const gold = runs.map((run) => goldAtDivergence(run, bound));
  return gold.every((values) => values !== null) ? gold as number[][] : null;
}

/** The best checkpoint of a setting. */
export interface Best {
  /** Its step, chosen by the replies to every second order. */
  readonly step: number;
  /** Its gold rewards to the other orders, so that the best isn't the luckiest. */
  readonly gold: BySeed;
  /** The gold rewards at the end, to the same orders. */
  readonly end: BySeed;
  /** KL there, over seeds. */
  readonly kl: number;
}

/** Finds the checkpoint of the highest gold reward over all seeds of a setting. */
export function bestCheckpoint(runs: readonly RunResult[]): Best {
  const half = (checkpoint: Checkpoint, odd: number) =>
    checkpoint.gold.filter((_, i) => Math.floor(i / EACH) % 2 === odd);
  const count = runs[0]!.checkpoints.length;
  const scores = Array.from(
    { length: count },
    (_, i) => mean(runs.map(({ checkpoints }) => mean(half(checkpoints[i]!, 0)))),
  );
  const best = scores.indexOf(Math.max(...scores));
  return {
    step: runs[0]!.checkpoints[best]!.step,
    gold: runs.map(({ checkpoints }) => half(checkpoints[best]!, 1)),
    end: runs.map(({ checkpoints }) => half(checkpoints.at(-1)!, 1)),
    kl: mean(runs.map(({ checkpoints }) => mean(checkpoints[best]!.kl))),
  };
}
