/** Which kernel computes a matrix product: what was measured on this adapter, or else a rule. */
import type { Device } from "./device.ts";
import { type Tile, type TileName, tiles } from "./matmul_tiled.ts";
import {
  type LaneVariant,
  type MatmulVariant,
  type ProductShape,
  subgroupVariants,
  variantProblem,
} from "./matmul_variants.ts";

/** What measurements chose, by {@linkcode productKey}. */
export type MatmulTuning = Map<string, MatmulVariant>;

/** The variant for a product: the one that {@linkcode Device.tuning} names if it can be had, else the rule's. */
export function chooseVariant(device: Device, product: ProductShape): MatmulVariant {
  const measured = device.tuning.get(productKey(product));
  if (measured !== undefined && variantProblem(device, { variant: measured, product }) === undefined) {
    return measured;
  }
  return ruleOfThumb(device, product);
}

/**
 * What products share a measurement: layout, storage and sizes, each rounded up to one of four an octave, since rows vary
 * with the batch.
 */
export function productKey(
  { batch, m, n, k, transposeA, transposeB, packedB, aligned }: ProductShape,
): string {
  const layout = `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;
  const isRagged = n % 4 !== 0 || k % 4 !== 0 || (transposeA && m % 4 !== 0);
  const storage = `${packedB ? " bf16" : ""}${isRagged || aligned === false ? " unaligned" : ""}`;
  return `${layout}${storage} ${[batch, m, n, k].map(bucket).join("×")}`;
}

function bucket(size: number): number {
  const step = Math.max(1, 2 ** (Math.floor(Math.log2(size)) - 2));
  return Math.ceil(size / step) * step;
}

/** The rule for an adapter about which nothing was measured. */
export function ruleOfThumb(device: Device, product: ProductShape): MatmulVariant {
  const isPossible = (variant: MatmulVariant) => variantProblem(device, { variant, product }) === undefined;
  if (device.software && device.subgroupSize >= 4) {
    const possible = subgroupVariants(product).filter(isPossible);
    const costs = possible.map((variant) => subgroupCost(device, { variant, product }));
    if (possible.length > 0) return possible[costs.indexOf(Math.min(...costs))]!;
  }
  // Workgroup memory is no faster than any other there, so that a tile only computes what lies outside the product.
  if (device.software && isPossible({ tile: "small" })) return { tile: "small" };
  return tiledRule(product, isPossible);
}

/** Cores that a software adapter is taken to have: with fewer workgroups, some have nothing to do. */
const SOFTWARE_CORES = 2;
/** Loading four steps of depth of a row or column, against multiplying and adding four of a row in all lanes. */
const LOAD_COST = 0.5;
/** Sums beyond this many vectors no longer stay in the nearest cache, and cost so much more. */
const CACHED_SUMS = 128;
const UNCACHED_COST = 1.15;
/** Work of a workgroup that doesn't grow with the depth, in the same unit. */
const GROUP_COST = 400;

/** Time of a subgroup kernel in arbitrary units: multiplications and loads of all workgroups, what lies outside the product too. */
function subgroupCost(
  { subgroupSize }: Device,
  { variant: { rows, vectors = 1 }, product: { batch, m, n, k } }: {
    variant: LaneVariant;
    product: ProductShape;
  },
): number {
  const groups = Math.ceil(m / rows) * Math.ceil(n / 4 / subgroupSize / vectors) * batch;
  const sums = rows * vectors;
  const multiplications = sums * (sums > CACHED_SUMS ? UNCACHED_COST : 1);
  const loads = (rows + 4 * subgroupSize * vectors) * LOAD_COST;
  return Math.ceil(groups / SOFTWARE_CORES) * ((multiplications + loads) * k / 4 + GROUP_COST);
}

/** Below this many workgroups a GPU is not filled, so smaller tiles are worth their lower reuse. */
const FILLED = 64;
/** So many workgroups of the largest tile hide that the last ones leave some cores idle. */
const WELL_FILLED = 256;
/** Inner sizes below this are staged at once by the deepest tile. */
const SHALLOW = 64;
/** The least inner size of a split: with less, writing and adding sums costs more than idle cores. */
const LEAST_SPLIT = 256;
/** More sums than this many are no longer read by one pass without its time showing. */
const MOST_SPLITS = 32;

/** The largest tile that still fills a GPU; where none does and the inner size is large, that is split. */
function tiledRule(product: ProductShape, isPossible: (variant: MatmulVariant) => boolean): MatmulVariant {
  const { batch, m, n, k } = product;
  const groups = (tile: Tile) => Math.ceil(m / tile.m) * Math.ceil(n / tile.n) * batch;
  const candidates: readonly (readonly [TileName, number])[] = [
    ...(k < SHALLOW ? [["deep", FILLED] as const] : []),
    ["large", WELL_FILLED],
    ["wide", FILLED],
    ["medium", FILLED],
  ];
  const filling = candidates.find(([tile, least]) => groups(tiles[tile]) >= least && isPossible({ tile }));
  if (filling !== undefined) return { tile: filling[0] };
  const tile = Math.min(m, n) > tiles.small.m && isPossible({ tile: "medium" }) ? "medium" : "small";
  const splits = Math.min(
    MOST_SPLITS,
    Math.floor(k / LEAST_SPLIT),
    Math.ceil(2 * FILLED / groups(tiles[tile])),
  );
  return batch === 1 && groups(tiles.small) < FILLED && splits >= 2 ? { tile, splits } : { tile: "small" };
}
