/** Choosing the few shapes that batches are padded to. */
import type { BatchShape } from "./pack.ts";

/** Sizes of a shape are multiples of this, which suits the kernels' tiles. */
const GRAIN = 32;

/** Options of {@linkcode chooseShapes}. */
export interface ShapeOptions {
  /** The most shapes to use; default 4. */
  readonly shapes?: number;
}

/**
 * The shapes, at most a few, that waste the fewest rows on the given batches: every batch fits one of them.
 *
 * Batches are known before a run starts, so this is exact: they are sorted by rows and cut into runs by dynamic
 * programming; a run's shape is the largest of its batches.
 *
 * @param batches The unpadded shapes of all batches, at least one.
 * @returns Shapes by ascending rows; slots and sequences ascend too, so that the first that fits is the smallest.
 */
export function chooseShapes(
  batches: readonly BatchShape[],
  { shapes = 4 }: ShapeOptions = {},
): BatchShape[] {
  // Not a spread: there may be more batches than a call takes arguments.
  const sequences = batches.reduce((most, batch) => Math.max(most, batch.sequences), 0);
  const groups = groupByRows(batches);
  // cost[i] of covering the first i groups; each step adds one more shape.
  let cost = groups.map(() => Infinity);
  let plans: number[][] = [];
  for (let used = 1; used <= Math.min(shapes, groups.length); used++) {
    const nextCost = groups.map(() => Infinity);
    const nextPlans: number[][] = groups.map(() => []);
    groups.forEach((group, end) => {
      let batchesInRun = 0;
      for (let start = end; start >= 0; start--) {
        batchesInRun += groups[start]!.count;
        if (used > 1 && start === 0) break;
        const before = used === 1 ? (start === 0 ? 0 : Infinity) : cost[start - 1]!;
        const total = before + batchesInRun * group.rows;
        if (total < nextCost[end]!) {
          nextCost[end] = total;
          nextPlans[end] = [...(used === 1 ? [] : plans[start - 1]!), end];
        }
      }
    });
    if (used > 1 && !(nextCost.at(-1)! < cost.at(-1)!)) break;
    cost = nextCost;
    plans = nextPlans;
  }
  let slots = 0;
  return plans.at(-1)!.map((end, i, ends) => {
    const start = i === 0 ? 0 : ends[i - 1]! + 1;
    slots = Math.max(slots, ...groups.slice(start, end + 1).map((group) => group.slots));
    return { rows: groups[end]!.rows, slots, sequences };
  });
}

/** Batches with the same rounded-up rows, ascending. */
function groupByRows(batches: readonly BatchShape[]): { rows: number; slots: number; count: number }[] {
  const roundUp = (size: number) => Math.max(GRAIN, Math.ceil(size / GRAIN) * GRAIN);
  const groups = new Map<number, { rows: number; slots: number; count: number }>();
  for (const batch of batches) {
    const rows = roundUp(batch.rows);
    const group = groups.get(rows) ?? { rows, slots: 0, count: 0 };
    group.slots = Math.max(group.slots, roundUp(batch.slots));
    group.count++;
    groups.set(rows, group);
  }
  return [...groups.values()].sort((a, b) => a.rows - b.rows);
}

/**
 * The smallest shape that a batch fits.
 *
 * @param shapes What {@linkcode chooseShapes} returned.
 * @throws If none fits.
 */
export function fitShape(shapes: readonly BatchShape[], batch: BatchShape): BatchShape {
  const fits = (shape: BatchShape) =>
    batch.rows <= shape.rows && batch.slots <= shape.slots && batch.sequences <= shape.sequences;
  const shape = shapes.find(fits);
  if (shape === undefined) {
    throw new RangeError(
      `fitShape: no shape holds ${batch.rows} rows, ${batch.slots} slots and ${batch.sequences} sequences`,
    );
  }
  return shape;
}
