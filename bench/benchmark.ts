/** What a benchmark is, and how everything here is timed: warmed up first, then in interleaved rounds. */

/** Something that is timed against others doing comparable work. */
export interface Candidate {
  /** Unique among the candidates. */
  readonly name: string;
  /** Does the work once and resolves to how long one unit of it took, in milliseconds. */
  run(): Promise<number>;
}

/** The distribution of a candidate's times. */
export interface Timing {
  /** Middle time, in milliseconds. */
  readonly median: number;
  /** Shortest time, in milliseconds. */
  readonly min: number;
  /** Longest time, in milliseconds. */
  readonly max: number;
  /** Times measured, warm-up not counted. */
  readonly count: number;
}

/** One line of a benchmark's table; numbers are printed with three digits and stored in full. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** What a benchmark found. */
export interface Table {
  /** What was measured. */
  readonly title: string;
  /** The lines. */
  readonly rows: readonly Row[];
  /** What a reader has to know to read them. */
  readonly notes?: readonly string[];
}

/** What all benchmarks can be told. */
export interface BenchmarkOptions {
  /** Timed rounds. */
  readonly rounds: number;
  /** Names of cases, or null for those that a benchmark takes by itself. */
  readonly cases: readonly string[] | null;
  /** Whether to print where the time goes, kernel by kernel. */
  readonly profile: boolean;
}

/** A benchmark of this folder. */
export interface Benchmark {
  /** One sentence for the overview. */
  readonly description: string;
  /** Flags that it reads besides `--rounds`. */
  readonly flags: readonly ("cases" | "profile")[];
  /** Names that it takes for `--cases`. */
  readonly cases?: readonly string[];
  /** Measures, yielding each table when it is complete. */
  run(options: BenchmarkOptions): AsyncIterable<Table>;
}

/** Runs every candidate `warmUp` times, then once a round, so that a slow minute meets all of them. */
export async function timeInterleaved(
  candidates: readonly Candidate[],
  { rounds, warmUp = 1 }: { rounds: number; warmUp?: number },
): Promise<Map<string, Timing>> {
  for (const { run } of candidates) {
    for (let i = 0; i < warmUp; i++) await run();
  }
  const times = new Map(candidates.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of rotate(candidates, round)) times.get(name)!.push(await run());
  }
  return new Map([...times].map(([name, values]) => [name, summarize(values)]));
}

/** The same items, beginning with another one each round: who goes first may suffer from what went before. */
export function rotate<T>(items: readonly T[], round: number): T[] {
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** The distribution of some times. */
export function summarize(times: readonly number[]): Timing {
  return { median: median(times), min: Math.min(...times), max: Math.max(...times), count: times.length };
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A timing as columns of a row. */
export function timingColumns({ median, min, max, count }: Timing): Row {
  return { "median ms": median, "min ms": min, "max ms": max, count };
}
