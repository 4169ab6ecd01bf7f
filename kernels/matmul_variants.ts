/** The kernels of the matrix product, and which of them a device and a product can have. */
import { type Device, maximumBindingBytes } from "./device.ts";
import { tileBytes, type TileName, tiles, tileThreads } from "./matmul_tiled.ts";

/** The kernel with workgroup memory. */
export interface TileVariant {
  /** Which of {@linkcode tiles} a workgroup computes. */
  readonly tile: TileName;
  /** Cut the inner size into so many pieces, whose sums are added afterwards; 2 or more. */
  readonly splits?: number;
}

/** The kernel with subgroup operations. */
export interface LaneVariant {
  /** Rows of the result that a lane computes, a multiple of 4. */
  readonly rows: number;
  /** Groups of four columns that a lane computes; default 1. */
  readonly vectors?: number;
}

/** A kernel to run. */
export type MatmulVariant = TileVariant | LaneVariant;

/** Sizes and layout of a product, all that the choice of a kernel depends on. */
export interface ProductShape {
  /** Matrices multiplied at once. */
  readonly batch: number;
  /** Rows of the result. */
  readonly m: number;
  /** Columns of the result. */
  readonly n: number;
  /** The inner size. */
  readonly k: number;
  /** `a` is stored [k, m]. */
  readonly transposeA: boolean;
  /** `b` is stored [n, k]. */
  readonly transposeB: boolean;
  /** `b` is in bfloat16. */
  readonly packedB?: boolean;
  /** Strides and starts of the operands are multiples of 4; so by default. */
  readonly aligned?: boolean;
}

/** What to call a variant in labels and tables. */
export function variantName(variant: MatmulVariant): string {
  if ("rows" in variant) return `subgroup ${variant.rows}×${4 * (variant.vectors ?? 1)}`;
  return variant.splits === undefined ? variant.tile : `${variant.tile} ÷ ${variant.splits}`;
}

/** Sums that a lane of the subgroup kernel can hold without its code growing out of hand, in vectors of four. */
const MOST_SUMS = 160;

/** Why a product can't be computed by a variant on this device; undefined where it can. */
export function variantProblem(
  device: Device,
  { variant, product }: { variant: MatmulVariant; product: ProductShape },
): string | undefined {
  const { batch, m, n, k, transposeA } = product;
  const { description, subgroupSize, gpu: { limits } } = device;
  if ("tile" in variant) {
    const tile = tiles[variant.tile];
    if (variant.splits !== undefined && (variant.splits < 2 || batch > 1)) {
      return `${variant.splits} splits of ${batch} products; a single product takes 2 or more`;
    }
    const sums = 4 * (variant.splits ?? 0) * m * n;
    if (sums > maximumBindingBytes(device)) {
      return `the sums of ${variant.splits} splits take ${sums} bytes, one binding of "${description}" holds ` +
        `${maximumBindingBytes(device)}`;
    }
    if (tileBytes(tile) > limits.maxComputeWorkgroupStorageSize) {
      return `the ${variant.tile} tile takes ${
        tileBytes(tile)
      } bytes of workgroup memory, "${description}" has ` +
        `${limits.maxComputeWorkgroupStorageSize}`;
    }
    const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
    if (tileThreads(tile) > most) {
      return `the ${variant.tile} tile takes ${tileThreads(tile)} threads, "${description}" has ${most}`;
    }
    return undefined;
  }
  const { rows, vectors = 1 } = variant;
  if (subgroupSize === 0) return `"${description}" has no subgroup operations of a fixed size`;
  const sizes = [n, k, ...(transposeA ? [m] : [])];
  if (product.aligned === false || sizes.some((size) => size % 4 !== 0)) {
    return `the subgroup kernel takes sizes and blocks that 4 divides, not m ${m}, n ${n}, k ${k}`;
  }
  if (rows % 4 !== 0 || rows * vectors > MOST_SUMS) {
    return `the subgroup kernel takes a multiple of 4 rows, up to ${MOST_SUMS} for all vectors, not ${rows} × ${vectors}`;
  }
  return undefined;
}

/** Rows a lane that are worth trying, and those that two vectors a lane leave room for. */
const ROWS = [4, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128] as const;
const MOST_ROWS_OF_TWO = 96;

const allSubgroupVariants: readonly LaneVariant[] = ROWS.flatMap((rows) => [
  { rows },
  ...(rows >= 16 && rows <= MOST_ROWS_OF_TWO && rows * 2 <= MOST_SUMS ? [{ rows, vectors: 2 }] : []),
]);

/** Multiplications of a product from which a kernel that fits it pays, though its many sums may take seconds to compile. */
const LARGE = 3e7;
/** The kernels for smaller products, so that few are compiled. */
const fewSubgroupVariants: readonly LaneVariant[] = [4, 8, 16, 32, 64].map((rows) => ({ rows }));

/** The subgroup kernels to choose from for a product. */
export function subgroupVariants({ batch, m, n, k }: ProductShape): readonly LaneVariant[] {
  return batch * m * n * k >= LARGE ? allSubgroupVariants : fewSubgroupVariants;
}

/** Splits worth trying, and the least depth of one. */
const SPLITS = [2, 4, 8, 16, 32] as const;
const LEAST_SPLIT = 128;

/**
 * Every variant worth trying for a product on a device: without those that would mostly compute nothing, and on a software
 * adapter without tiles where subgroups will do, which are over ten times as fast there.
 */
export function possibleVariants(device: Device, product: ProductShape): MatmulVariant[] {
  const isPossible = (variant: MatmulVariant) => variantProblem(device, { variant, product }) === undefined;
  const subgroup = subgroupVariants(product).filter((variant) =>
    variant.rows < product.m + 8 && isPossible(variant)
  );
  if (device.software && subgroup.length > 0) return subgroup;
  const splits = SPLITS.filter((splits) => product.batch === 1 && product.k / splits >= LEAST_SPLIT);
  const tiled = (Object.keys(tiles) as (TileName)[]).flatMap((tile) => [
    { tile },
    ...splits.map((splits) => ({ tile, splits })),
  ]);
  return [...tiled.filter(isPossible), ...subgroup];
}
