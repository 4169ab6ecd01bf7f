/** What the seeds of a cell say together. */
import { bootstrapInterval, mean } from "@tr/align/evaluation";
import type { Cell } from "./settings.ts";
import type { Curve, CurvePoint } from "./train.ts";

/** A mean over seeds with its 95 % bootstrap interval. */
export interface Estimate {
  /** The mean. */
  readonly mean: number;
  /** The interval's lower end. */
  readonly low: number;
  /** The interval's upper end. */
  readonly high: number;
}

/** What is plotted over training. */
export const measureNames = ["chosen", "rejected", "ood", "kl", "curvature"] as const;

/** A name of what is plotted. */
export type MeasureName = typeof measureNames[number];

/** A cell over its seeds. */
export interface CellSummary extends Cell {
  /** By seed. */
  readonly curves: readonly Curve[];
  /** Steps of the points. */
  readonly steps: readonly number[];
  /** Each measure at these steps. */
  readonly over: Readonly<Record<MeasureName, readonly Estimate[]>>;
  /** Each measure at the end, with more resamples. */
  readonly end: Readonly<Record<MeasureName, Estimate>>;
  /** What OOD mass grew by from the initial policy to the end. */
  readonly oodGrowth: Estimate;
  /** Seeds in which the chosen probability fell below its initial value on the way and ended above it. */
  readonly recovered: number;
  /** Seeds in which the chosen probability ended below 0.01. */
  readonly lost: number;
  /** Mean updates of the reference. */
  readonly updates: number;
  /** Seed by seed, OOD mass at the end less that of the frozen reference; null for that itself. */
  readonly oodAgainstFrozen: Estimate | null;
}

/** Resamples of intervals along curves, of which there are many. */
const CURVE_RESAMPLES = 1000;
/** How far a probability must fall to count as fallen. */
const FALL = 0.01;

/** Mean and interval of one number a seed. */
export function estimate(values: readonly number[], resamples?: number): Estimate {
  const [low, high] = bootstrapInterval(values, resamples === undefined ? {} : { resamples });
  return { mean: mean(values), low, high };
}

/** Summarizes all cells, in their order. */
export function summarize(curves: readonly Curve[]): CellSummary[] {
  const byCell = Map.groupBy(
    curves,
    ({ problem, loss, beta, reference }) => key({ problem, loss, beta, reference }),
  );
  return [...byCell.values()].map((own) => {
    const [{ problem, loss, beta, reference, points }] = own as [Curve, ...Curve[]];
    const cell = { problem, loss, beta, reference };
    const last = (curve: Curve): CurvePoint => curve.points.at(-1)!;
    const frozen = byCell.get(key({ ...cell, reference: "frozen" }));
    return {
      ...cell,
      curves: own,
      steps: points.map(({ step }) => step),
      over: byMeasure((name) =>
        points.map((_, i) => estimate(own.map((curve) => curve.points[i]![name]), CURVE_RESAMPLES))
      ),
      end: byMeasure((name) => estimate(own.map((curve) => last(curve)[name]))),
      oodGrowth: estimate(own.map((curve) => last(curve).ood - curve.points[0]!.ood)),
      recovered: own.filter(({ points }) => hasRecovered(points.map(({ chosen }) => chosen))).length,
      lost: own.filter((curve) => last(curve).chosen < 0.01).length,
      updates: mean(own.map((curve) => last(curve).updates)),
      oodAgainstFrozen: reference === "frozen" || frozen === undefined
        ? null
        : estimate(own.map((curve, seed) => last(curve).ood - last(frozen[seed]!).ood)),
    };
  });
}

/** Whether a probability fell below its first value on the way and ended above it. */
export function hasRecovered(values: readonly number[]): boolean {
  const [first, last] = [values[0]!, values.at(-1)!];
  return Math.min(...values) < first - FALL && last > first;
}

function key({ problem, loss, beta, reference }: Cell): string {
  return JSON.stringify([problem, loss, beta, reference]);
}

function byMeasure<Value>(value: (name: MeasureName) => Value): Record<MeasureName, Value> {
  return Object.fromEntries(measureNames.map((name) => [name, value(name)])) as Record<MeasureName, Value>;
}
