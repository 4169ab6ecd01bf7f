import type { PlotPoint } from "../plot/types.ts";
import { downsample, movingMean, pointsOf } from "../report/points.ts";
import { bootstrapInterval, mean } from "../statistics.ts";
import type { Measurement, RunGroup } from "./types.ts";

const MOST_POINTS = 120;
/** Curves of more points than this are averaged over neighbouring steps first. */
const FEWEST_TO_AVERAGE = 100;
/** Fewer than for a single number: an interval is drawn at every point. */
const RESAMPLES = 1000;

/** The mean over seeds with its bootstrap interval; a single value has none. */
export function summarize(values: readonly number[], { resamples = RESAMPLES } = {}): Measurement {
  if (values.length === 1) return { mean: values[0]! };
  const [low, high] = bootstrapInterval(values, { resamples });
  return { mean: mean(values), low, high };
}

/**
 * One metric of a group over steps: the mean over its seeds with an interval, at the steps that all of its runs have.
 *
 * Where there are many steps, each seed's curve is averaged over its neighbours first.
 */
export function curveOf({ runs }: RunGroup, metric: string): PlotPoint[] {
  const curves = runs.map(({ metrics }) => {
    const points = pointsOf(metrics, metric);
    if (points.length < FEWEST_TO_AVERAGE) return points;
    return movingMean(points, { reach: Math.ceil(points.length / 50), breaks: [] });
  });
  const bySteps = curves.map((points) => new Map(points));
  const shared = curves[0]!.filter(([step]) => bySteps.every((values) => values.has(step)));
  return downsample(shared, MOST_POINTS).map(([step]) => {
    const { mean, low, high } = summarize(bySteps.map((values) => values.get(step)!));
    return { x: step, y: mean, low, high };
  });
}

/** Two metrics of a group against each other: their means over seeds at each step that all of its runs have both at. */
export function pathOf({ runs }: RunGroup, { x, y }: { x: string; y: string }): PlotPoint[] {
  const values = (metric: string) => runs.map(({ metrics }) => new Map(pointsOf(metrics, metric)));
  const [xs, ys] = [values(x), values(y)];
  const steps = [...ys[0]!.keys()].filter((step) => [...xs, ...ys].every((of) => of.has(step)));
  return steps.map((step) => {
    const { mean: height, low, high } = summarize(ys.map((of) => of.get(step)!));
    return { x: mean(xs.map((of) => of.get(step)!)), y: height, low, high };
  });
}
