import type { Sample } from "../../training/samples.ts";

export type { Sample };

/**
 * The measurements of one optimizer step by name, as a line of `metrics.jsonl` holds them. Only `step` is required;
 * `null` stands for a number that was not finite, because JSON can't hold one.
 */
export interface MetricRow {
  /** Optimizer steps done, counted from 1. */
  step: number;
  /** `loss`, `rewards/margins`, `kl/initial`, `eval_loss` and so on. */
  [name: string]: number | null | undefined;
}

/** What {@linkcode renderReport} shows. */
export interface Report {
  /** The heading, such as the run's name. */
  title: string;
  /** The configuration as YAML. */
  config: string;
  /** One row per optimizer step, in order. */
  metrics: readonly MetricRow[];
  /** Rows of held-out measurements (`eval_…`), for those that `metrics` doesn't hold; none by default. */
  evaluations?: readonly MetricRow[];
  /** Completions to compare; none by default. */
  samples?: readonly Sample[];
  /** What to know at a glance, as pairs of label and value; none by default. */
  summary?: readonly (readonly [label: string, value: string])[];
  /** Values to mark with a horizontal line where the metric of that name is drawn; none by default. */
  bounds?: Readonly<Record<string, number>>;
  /** The optimizer steps after which the reference moved, in order; none by default. */
  referenceUpdates?: readonly number[];
}
