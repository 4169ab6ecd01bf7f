/** Ours and the peers in the same rounds. */
import { rotate, summarize, type Timing } from "../benchmark.ts";
import type { Peer } from "./process.ts";

/** Somebody who does the work. */
export interface Contender {
  /** What tables call it. */
  readonly name: string;
  /** Does the work so often in a row; resolves to milliseconds for once, and numbers that show that it was the right work. */
  readonly repeat: Peer["repeat"];
  /** Frees what it holds. */
  readonly stop: () => Promise<void> | void;
  /** Bytes that it takes on the device, where that is known. */
  readonly memory?: () => number | null;
}

/** How a contender did. */
export interface RaceResult {
  /** Who. */
  readonly name: string;
  /** Its times. */
  readonly timing: Timing;
  /** Its time over that of the first contender in the same round. */
  readonly ratio: Timing;
  /** What it computed at first. */
  readonly values: readonly number[];
  /** How far that lies from what the first contender computed. */
  readonly distance: number;
}

/** A sample takes about this long, or the work once. */
const SAMPLE_MILLISECONDS = 600;

/**
 * Times contenders in turns, a different one first in each round.
 *
 * @param options.first How often the work is done before anything is timed, for the values that are compared.
 */
export async function race(
  contenders: readonly Contender[],
  { rounds, first }: { rounds: number; first: number },
): Promise<RaceResult[]> {
  const values = new Map<string, number[]>();
  const counts = new Map<string, number>();
  for (const { name, repeat } of contenders) {
    values.set(name, (await repeat(first)).values);
    const { milliseconds } = await repeat(1);
    counts.set(name, Math.max(1, Math.min(200, Math.round(SAMPLE_MILLISECONDS / milliseconds))));
  }
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, repeat } of rotate(contenders, round)) {
      times.get(name)!.push((await repeat(counts.get(name)!)).milliseconds);
    }
  }
  const leader = contenders[0]!.name;
  return contenders.map(({ name }) => ({
    name,
    timing: summarize(times.get(name)!),
    ratio: summarize(times.get(name)!.map((time, round) => time / times.get(leader)![round]!)),
    values: values.get(name)!,
    distance: Math.max(...values.get(name)!.map((value, i) => Math.abs(value - values.get(leader)![i]!))),
  }));
}

/** A race's times and ratios as columns. */
export function raceColumns({ timing, ratio }: RaceResult) {
  return {
    "median ms": timing.median,
    "min ms": timing.min,
    "max ms": timing.max,
    count: timing.count,
    "× ours": ratio.median,
    "min ×": ratio.min,
    "max ×": ratio.max,
  };
}
