/** Learning rates over a run. */

/** How the learning rate goes from its peak to the end of the run. */
export type ScheduleName = "constant" | "linear" | "cosine";

/** A run's learning rates. */
export interface ScheduleOptions {
  /** The shape after warm-up. */
  readonly schedule: ScheduleName;
  /** The peak. */
  readonly learningRate: number;
  /** Steps of linear warm-up. */
  readonly warmup: number;
  /** Optimizer steps of the run. */
  readonly steps: number;
}

/**
 * The learning rate of a step.
 *
 * During warm-up it rises linearly, step / warmup, so that the first step already moves; then it follows half a cosine
 * or a line towards 0, which it would reach one step after the last, as in Hugging Face's schedulers.
 *
 * @param step From 1.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { learningRateAt } from "@tr/align/training";
 *
 * const options = { schedule: "linear", learningRate: 1, warmup: 2, steps: 6 } as const;
 * assertEquals([1, 2, 3, 4, 5, 6].map((step) => learningRateAt(step, options)), [0.5, 1, 1, 0.75, 0.5, 0.25]);
 * ```
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { schedule, learningRate, warmup, steps } = options;
  if (step <= warmup) return learningRate * step / warmup;
  if (schedule === "constant") return learningRate;
  const progress = (step - 1 - warmup) / Math.max(1, steps - warmup);
  const remaining = schedule === "linear" ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2;
  return learningRate * remaining;
}
