/** The launches that compute a matrix product with a given variant. */
import type { MatrixView } from "./block.ts";
import type { Device } from "./device.ts";
import { type Dispatch, temporary, type Uniform } from "./graph.ts";
import { sumSplitsWgsl } from "./matmul_split.ts";
import { subgroupMatmulWgsl } from "./matmul_subgroup.ts";
import { tiledMatmulWgsl, tiles } from "./matmul_tiled.ts";
import {
  type LaneVariant,
  type MatmulVariant,
  type ProductShape,
  type TileVariant,
  variantName,
} from "./matmul_variants.ts";
import { remember } from "./remember.ts";
import { elementGroups } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/** A second product that is added to the first. */
export interface Plus {
  /** The left factor, [m, k]. */
  readonly a: MatrixView;
  /** The right factor, [k, n]; with `transposeB` [n, k]. */
  readonly b: MatrixView;
  /** `b` is stored [n, k]. */
  readonly transposeB: boolean;
  /** Factor on this product. */
  readonly scale: number;
}

/** A product with its operands and what is added to it. */
export interface Operation {
  /** Sizes and layout. */
  readonly product: ProductShape;
  /** Factor on the product. */
  readonly scale: number;
  /** The left factor. */
  readonly a: MatrixView;
  /** The right factor. */
  readonly b: MatrixView;
  /** Where the product goes. */
  readonly result: MatrixView;
  /** Two more factors, whose product is added. */
  readonly plus: Plus | undefined;
  /** What is added to the product. */
  readonly add: "nothing" | "result" | "residual";
  /** Where `add` is `residual`: what lies as the result does in its own matrix. */
  readonly residual: Tensor | undefined;
  /** One number for each column. */
  readonly bias: MatrixView | undefined;
}

const tiledText = remember(tiledMatmulWgsl);
const subgroupText = remember(subgroupMatmulWgsl);

/** Whether sizes and places allow reading four elements at a time. */
export function isAligned(sizes: readonly number[]): boolean {
  return sizes.every((size) => size % 4 === 0);
}

/**
 * The launches of a product, in order.
 *
 * @param options.depth How much of the inner size a launch of the subgroup kernel sums; all by default.
 */
export function launchMatmul(
  device: Device,
  operation: Operation,
  { variant, depth }: { variant: MatmulVariant; depth?: number | undefined },
): Dispatch[] {
  if ("rows" in variant) {
    return subgroupLaunches(device, operation, { variant, depth: depth ?? operation.product.k });
  }
  return variant.splits === undefined
    ? [tiledLaunch(operation, variant)]
    : splitLaunches(operation, { ...variant, splits: variant.splits });
}

function label(
  { product: { transposeA, transposeB, packedB }, plus }: Operation,
  variant: MatmulVariant,
): string {
  const layout = `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;
  const second = plus === undefined ? "" : ` + N${plus.transposeB ? "T" : "N"}`;
  return `matmul ${layout}${packedB ? " bf16" : ""}${second} ${variantName(variant)}`;
}

function bind({ a, b, result, plus, add, residual, bias }: Operation): Dispatch["bindings"] {
  return [
    [a.tensor, "read"],
    [b.tensor, "read"],
    [result.tensor, add === "result" ? "update" : "write"],
    ...(plus ? [[plus.a.tensor, "read"], [plus.b.tensor, "read"]] as const : []),
    ...(residual !== undefined ? [[residual, "read"] as const] : []),
    ...(bias ? [[bias.tensor, "read"] as const] : []),
  ];
}

function plusUniforms({ a, b }: Plus): Uniform[] {
  return [a.shape[1]!, a.stride, b.stride, a.start, b.start];
}

/** Multiplications and additions of the second product. */
function plusFlops({ product: { m, n }, plus }: Operation): number {
  return plus === undefined ? 0 : 2 * m * n * plus.a.shape[1]!;
}

function uniformsOf({ product: { m, n, k }, a, b, result }: Operation): Uniform[] {
  const views = [a, b, result];
  return [m, n, k, ...views.map(({ stride }) => stride), ...views.map(({ start }) => start)];
}

function tiledLaunch(
  operation: Operation,
  variant: TileVariant,
  split?: { splits: number; depth: number },
): Dispatch {
  const { product, scale, plus, add, a, b, result, bias } = operation;
  const { batch, m, n, k, transposeA, transposeB, packedB = false } = product;
  const tile = tiles[variant.tile];
  const isVector = (size: number, views: readonly MatrixView[]) =>
    isAligned([size, ...views.flatMap(({ stride, start }) => [stride, start])]);
  const code = tiledText({
    transposeA,
    transposeB,
    vectorA: isVector(transposeA ? m : k, [a]),
    vectorB: isVector(transposeB ? k : n, [b]),
    vectorC: isVector(n, bias ? [result, bias] : [result]),
    packedB,
    split: split !== undefined,
    scale,
    plus: plus && {
      transposeA: false,
      transposeB: plus.transposeB,
      vectorA: isVector(plus.a.shape[1]!, [plus.a]),
      vectorB: isVector(plus.transposeB ? plus.a.shape[1]! : n, [plus.b]),
      packedB: false,
      scale: plus.scale,
    },
    add,
    bias: bias !== undefined,
    tile,
  });
  return {
    kernel: { label: label(operation, variant), code },
    bindings: bind(operation),
    uniforms: [
      ...uniformsOf(operation),
      ...(split ? [split.depth] : []),
      ...(plus ? plusUniforms(plus) : []),
      ...(bias ? [bias.start] : []),
    ],
    workgroups: [Math.ceil(n / tile.n), Math.ceil(m / tile.m), split?.splits ?? batch],
    work: { flops: 2 * batch * m * n * k + plusFlops(operation) },
  };
}

/** Sums of pieces of the inner size, [splits, m, n], and one pass that adds them and does what is left to do. */
function splitLaunches(
  operation: Operation,
  variant: TileVariant & { splits: number },
): Dispatch[] {
  const { product, scale, add, result, residual, bias } = operation;
  const { m, n, k } = product;
  const { k: step } = tiles[variant.tile];
  const depth = Math.ceil(k / variant.splits / step) * step;
  const splits = Math.ceil(k / depth); // rounding may have left nothing for the last
  const sums = temporary([splits, m, n], "matmul splits");
  const partial: Operation = {
    ...operation,
    scale: 1,
    add: "nothing",
    residual: undefined,
    bias: undefined,
    result: { tensor: sums, shape: sums.shape, stride: n, start: 0 },
  };
  const width =
    isAligned([n, ...[result, ...(bias ? [bias] : [])].flatMap((view) => [view.stride, view.start])]) ? 4 : 1;
  return [
    tiledLaunch(partial, variant, { splits, depth }),
    {
      kernel: {
        label: "matmul sum of splits",
        code: sumSplitsWgsl({ scale, add, bias: bias !== undefined, vectors: width === 4 }),
      },
      bindings: [
        [sums, "read"],
        [result.tensor, add === "result" ? "update" : "write"],
        ...(residual !== undefined ? [[residual, "read"] as const] : []),
        ...(bias ? [[bias.tensor, "read"] as const] : []),
      ],
      uniforms: [
        m * n / width,
        n / width,
        result.stride / width,
        result.start / width,
        splits,
        ...(bias ? [bias.start / width] : []),
      ],
      workgroups: elementGroups(m * n / width),
    },
  ];
}

function subgroupLaunches(
  { subgroupSize: lanes, subgroupPreamble: preamble }: Device,
  operation: Operation,
  { variant, depth }: { variant: LaneVariant; depth: number },
): Dispatch[] {
  const { product, scale, bias } = operation;
  const { batch, m, n, k, transposeA, transposeB, packedB = false } = product;
  const { rows, vectors = 1 } = variant;
  return Array.from({ length: Math.ceil(k / depth) }, (_, i) => {
    const [first, last] = [i * depth, Math.min(k, (i + 1) * depth)];
    const part: Operation = i === 0
      ? operation
      : { ...operation, plus: undefined, add: "result", residual: undefined, bias: undefined };
    const code = subgroupText({
      transposeA,
      transposeB,
      packedB,
      scale,
      plus: part.plus &&
        { transposeA: false, transposeB: part.plus.transposeB, packedB: false, scale: part.plus.scale },
      add: part.add,
      bias: part.bias !== undefined,
      lanes,
      rows,
      vectors,
      preamble,
    });
    return {
      kernel: { label: label(operation, variant), code },
      bindings: bind(part),
      uniforms: [
        ...uniformsOf(part),
        first,
        last,
        ...(part.plus ? plusUniforms(part.plus) : []),
        ...(part.bias ? [bias!.start] : []),
      ],
      workgroups: [Math.ceil(n / 4 / lanes / vectors), Math.ceil(m / rows), batch],
      work: { flops: 2 * batch * m * n * (last - first) + plusFlops(part) },
    };
  });
}

/** Bytes of `b` that several rows of workgroups can share in a core's cache. */
const SHARED_BYTES = 1024 * 1024;
/** With less to sum, a launch costs more than the cache saves. */
const LEAST_DEPTH = 256;

/**
 * How much of the inner size one launch sums. Where it is huge (the vocabulary, in the gradient of a language model's head)
 * and several rows of workgroups read the same `b`, pieces that stay in the cache are summed one after another.
 */
export function pieceDepth({ m, n, k }: ProductShape, { rows }: LaneVariant): number {
  const depth = Math.floor(SHARED_BYTES / 4 / n / 4) * 4;
  return m > rows && depth >= LEAST_DEPTH && k >= 16 * depth ? depth : k;
}
