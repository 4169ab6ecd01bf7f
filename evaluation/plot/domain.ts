import type { PlotAxis, PlotOptions, PlotPoint } from "./types.ts";

/** What an axis spans. */
export type Domain = readonly [low: number, high: number];

/** The span that a plot's points, intervals, rules and levels need on both axes; undefined without a finite point. */
export function domainsOf(plot: PlotOptions): { x: Domain; y: Domain } | undefined {
  const points = plot.series.flatMap(({ points }) => points.filter((point) => isDrawable(point, plot)));
  if (points.length === 0) return undefined;
  const xs = [...points.map(({ x }) => x), ...plot.x.reach ?? []];
  const ys = [
    ...points.flatMap(({ y, low = y, high = y }) => [y, low, high]),
    ...(plot.levels ?? []).map(({ y }) => y),
    ...plot.y.reach ?? [],
  ];
  return { x: spanOf(xs, plot.x), y: spanOf(ys, plot.y) };
}

/** Whether a point has a place on both axes. */
export function isDrawable({ x, y }: PlotPoint, plot: Pick<PlotOptions, "x" | "y">): boolean {
  return isPlaced(x, plot.x) && isPlaced(y, plot.y);
}

/** The smallest span that covers several. */
export function union(domains: readonly Domain[]): Domain {
  return [Math.min(...domains.map(([low]) => low)), Math.max(...domains.map(([, high]) => high))];
}

function isPlaced(value: number, { log = false }: PlotAxis): boolean {
  return Number.isFinite(value) && (!log || value > 0);
}

/** Lowest and highest of those that the axis can show, apart even where all are equal. */
function spanOf(values: readonly number[], axis: PlotAxis): Domain {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!isPlaced(value, axis)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low < high) return [low, high];
  if (axis.log) return [low / 2, high * 2];
  const room = Math.abs(low) / 10 || 1;
  return [low - room, high + room];
}
