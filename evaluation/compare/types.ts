import type { MetricRow } from "../report/types.ts";

/** A measurement with its interval, where it has one. */
export interface Measurement {
  /** The value, or the mean of several. */
  readonly mean: number;
  /** Lower end of its interval. */
  readonly low?: number | undefined;
  /** Upper end of its interval. */
  readonly high?: number | undefined;
}

/** A run to compare. */
export interface ComparedRun {
  /** What to call it where its settings don't tell it apart, usually its directory. */
  readonly name: string;
  /** Its configuration, as sections and keys in snake_case. */
  readonly config: unknown;
  /** One row a step, in order. */
  readonly metrics: readonly MetricRow[];
  /** What was measured of its policy afterwards, by name (`gold/score`, `samples/kl/initial`); nothing by default. */
  readonly evaluation?: Readonly<Record<string, Measurement>>;
}

/** Runs of one setting, which differ in their seeds. */
export interface RunGroup {
  /** What tells it from the other groups, such as `alpha 0.4, every 32`. */
  readonly name: string;
  /** Its runs, at least one. */
  readonly runs: readonly ComparedRun[];
}
