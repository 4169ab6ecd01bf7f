/** Matrix products: which variant to run for which shape. */
import { type Block, type MatrixView, viewOf } from "./block.ts";
import { type Dispatch, dispatch, type Graph, type Kernel, temporary } from "./graph.ts";
import { subgroupMatmulWgsl } from "./matmul_subgroup.ts";
import { type Tile, tiledMatmulWgsl, tiles } from "./matmul_tiled.ts";
import { remember } from "./remember.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/** Options of {@linkcode matmul}. */
export interface MatmulOptions {
  /** `a` is stored transposed, [k, m]. */
  transposeA?: boolean;
  /** `b` is stored transposed, [n, k]. */
  transposeB?: boolean;
  /** Factor on the product; default 1. */
  scale?: number;
  /** [n], or columns of a [1, …] matrix: added to every row. */
  bias?: Tensor | Block;
  /** What is added to the product, of its shape; beside a block as `output`, the same block of another matrix. */
  residual?: Tensor | Block;
  /** Add the product to this instead of making a new tensor. */
  into?: Tensor | Block;
  /** Write the product to this instead of making a new tensor. */
  output?: Tensor | Block;
  /** Force a kernel, for tests and benchmarks. */
  variant?: MatmulVariant;
  /** Force how much of the inner size a launch of the subgroup kernel sums, a multiple of 4; for tests and benchmarks. */
  depth?: number;
}

/** Kernels to choose from: a tile for workgroup memory, or rows a lane for the subgroup kernel. */
export type MatmulVariant = "small" | "medium" | "large" | { readonly rows: number };

/**
 * Records a product of matrices, of parts of matrices, or of two batches of matrices: scale · op(a) · op(b) (+ bias)
 * (+ residual).
 *
 * No gradient flows through it; see `linear`.
 *
 * @param a [m, k] or [batch, m, k]; with `transposeA` [k, m].
 * @param b [k, n] or [batch, k, n]; with `transposeB` [n, k].
 * @returns [m, n] or [batch, m, n]; the whole matrix where `into` or `output` is a block.
 * @throws If the inner sizes or batches differ, or options exclude each other.
 */
export function matmul(
  graph: Graph,
  a: Tensor | Block,
  b: Tensor | Block,
  options: MatmulOptions = {},
): Tensor {
  const { transposeA = false, transposeB = false, scale = 1, bias, residual, into, output } = options;
  const [viewA, viewB] = [viewOf(a), viewOf(b)];
  const shape = productShape(viewA, viewB, { transposeA, transposeB });
  const { batch, m, n, k } = shape;
  const resultShape = viewA.shape.length === 3 ? [batch, m, n] : [m, n];
  if (into !== undefined && (residual !== undefined || output !== undefined)) {
    throw new Error(
      "matmul: `into` is what the product is added to; give neither `residual` nor `output` with it",
    );
  }
  const result = viewOf(into ?? output ?? temporary(resultShape, "matmul"));
  const added = residual === undefined ? undefined : viewOf(residual);
  for (const view of [result, ...(added ? [added] : [])]) checkResult(view, { resultShape, result });
  const shift = bias === undefined ? undefined : biasView(bias, n);
  const add = into !== undefined ? "result" : added !== undefined ? "residual" : "nothing";
  const views = [viewA, viewB, result];
  const aligned = shift === undefined ? views : [...views, shift];
  const variant = options.variant ?? chooseVariant(graph, { ...shape, transposeA, views: aligned });
  const operation = { m, n, k, transposeA, transposeB, scale, add, views, bias: shift } as const;
  const uniforms = [m, n, k, ...views.map(({ stride }) => stride), ...views.map(({ start }) => start)];
  if (typeof variant === "string") {
    const { kernel, workgroups } = tiled(variant, operation);
    dispatch(graph, {
      kernel,
      bindings: bind(operation),
      uniforms: [...uniforms, ...(shift ? [shift.start] : [])],
      workgroups: [workgroups[0], workgroups[1], batch],
      work: { flops: 2 * batch * m * n * k },
    });
    return result.tensor;
  }
  const depth = options.depth ?? chooseDepth(shape, variant.rows);
  for (let first = 0; first < k; first += depth) {
    const part: Operation = first === 0 ? operation : { ...operation, add: "result", bias: undefined };
    const { kernel, workgroups } = subgroup(graph, variant.rows, part);
    dispatch(graph, {
      kernel,
      bindings: bind(part),
      uniforms: [...uniforms, first, Math.min(k, first + depth), ...(part.bias ? [part.bias.start] : [])],
      workgroups: [workgroups[0], workgroups[1], batch],
      work: { flops: 2 * batch * m * n * (Math.min(k, first + depth) - first) },
    });
  }
  return result.tensor;

  function bind({ add, bias }: Operation): Dispatch["bindings"] {
    return [
      [viewA.tensor, "read"],
      [viewB.tensor, "read"],
      [result.tensor, add === "result" ? "update" : "write"],
      ...(add === "residual" ? [[added!.tensor, "read"] as const] : []),
      ...(bias ? [[bias.tensor, "read"] as const] : []),
    ];
  }
}

/** A bias as kernels address it: it has one row, so nothing depends on the distance of rows. */
function biasView(bias: Tensor | Block, n: number): MatrixView {
  const view = viewOf(bias);
  if (sizeOf(view.shape) !== n) {
    throw new RangeError(`matmul: the product has ${n} columns, the bias is [${view.shape}]; wanted [${n}]`);
  }
  return { ...view, stride: 0 };
}

function checkResult(
  view: MatrixView,
  { resultShape, result }: { resultShape: readonly number[]; result: MatrixView },
): void {
  if (view.shape.join() !== resultShape.join()) {
    throw new RangeError(
      `matmul: the product is [${resultShape}], what to add it to or write it to is [${view.shape}]`,
    );
  }
  if (view.stride !== result.stride || view.start !== result.start) {
    throw new RangeError(
      "matmul: the residual must lie in its matrix as the result does: give the same block of both",
    );
  }
}

interface ProductShape {
  batch: number;
  m: number;
  n: number;
  k: number;
}

function productShape(
  a: MatrixView,
  b: MatrixView,
  options: { transposeA: boolean; transposeB: boolean },
): ProductShape {
  const batchA = a.shape.length === 3 ? a.shape[0]! : 1;
  const batchB = b.shape.length === 3 ? b.shape[0]! : 1;
  const [rowsA = 0, columnsA = 0] = a.shape.slice(-2);
  const [rowsB = 0, columnsB = 0] = b.shape.slice(-2);
  const [m, k] = options.transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [n, inner] = options.transposeB ? [rowsB, columnsB] : [columnsB, rowsB];
  const given = `a is [${a.shape}]${options.transposeA ? "ᵀ" : ""} and b is [${b.shape}]${
    options.transposeB ? "ᵀ" : ""
  }`;
  if (k !== inner) throw new RangeError(`matmul: ${given}; inner sizes ${k} and ${inner} differ`);
  if (batchA !== batchB) throw new RangeError(`matmul: ${given}; batches ${batchA} and ${batchB} differ`);
  return { batch: batchA, m, n, k };
}

/** Below this many workgroups a GPU is not filled, so smaller tiles are worth their lower reuse. */
const FILLED = 64;
/** Workgroups that keep the cores of a software adapter busy. */
const FILLED_SOFTWARE = 2;

/** The rule for an adapter about which nothing was measured: the largest tile that still fills the device. */
export function chooseVariant(
  graph: Graph,
  { batch, m, n, k, transposeA, views = [] }: ProductShape & {
    transposeA: boolean;
    views?: readonly MatrixView[];
  },
): MatmulVariant {
  const { software, subgroupSize } = graph.device;
  const aligned = isAligned([n, k, ...(transposeA ? [m] : [])], views);
  if (software && subgroupSize >= 4 && aligned) {
    const columns = Math.ceil(n / 4 / subgroupSize);
    const fits = (rows: number) => rows <= m && Math.ceil(m / rows) * columns * batch >= FILLED_SOFTWARE;
    const most = transposeA ? 4 * subgroupSize : 64;
    return { rows: [64, 32, 16].find((rows) => rows <= most && fits(rows)) ?? (m >= 8 ? 8 : 4) };
  }
  const groups = (tile: Tile) => Math.ceil(m / tile.m) * Math.ceil(n / tile.n) * batch;
  if (groups(tiles.large) >= FILLED) return "large";
  return groups(tiles.medium) >= FILLED ? "medium" : "small";
}

/** Whether sizes and places allow reading four elements at a time. */
function isAligned(sizes: readonly number[], views: readonly MatrixView[]): boolean {
  return [...sizes, ...views.flatMap(({ stride, start }) => [stride, start])].every((size) => size % 4 === 0);
}

/** Bytes of `b` that several rows of workgroups can share in a core's cache. */
const SHARED_BYTES = 1024 * 1024;
/** With less to sum, a launch costs more than the cache saves. */
const LEAST_DEPTH = 256;

/**
 * How much of the inner size one launch sums. Where it is huge (the vocabulary, in the gradient of a language model's head)
 * and several rows of workgroups read the same `b`, pieces that stay in the cache are summed one after another.
 */
function chooseDepth({ m, n, k }: ProductShape, rows: number): number {
  const depth = Math.floor(SHARED_BYTES / 4 / n / 4) * 4;
  return m > rows && depth >= LEAST_DEPTH && k >= 16 * depth ? depth : k;
}

interface Operation {
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  scale: number;
  add: "nothing" | "result" | "residual";
  bias: MatrixView | undefined;
  /** Of a, b and the result. */
  views: readonly MatrixView[];
}

interface Launch {
  kernel: Kernel;
  workgroups: readonly [number, number];
}

function label({ transposeA, transposeB }: Operation): string {
  return `matmul ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;
}

const tiledText = remember(tiledMatmulWgsl);
const subgroupText = remember(subgroupMatmulWgsl);

function tiled(name: keyof typeof tiles, operation: Operation): Launch {
  const { m, n, k, transposeA, transposeB, scale, add, views, bias } = operation;
  const [a, b, c] = views as readonly [MatrixView, MatrixView, MatrixView];
  const tile = tiles[name];
  const vectorA = isAligned([transposeA ? m : k], [a]);
  const vectorB = isAligned([transposeB ? k : n], [b]);
  const vectorC = isAligned([n], bias ? [c, bias] : [c]);
  const vectors = { vectorA, vectorB, vectorC };
  const code = tiledText({
    transposeA,
    transposeB,
    ...vectors,
    scale,
    add,
    bias: bias !== undefined,
    tile,
  });
  return {
    kernel: { label: `${label(operation)} ${name}`, code },
    workgroups: [Math.ceil(n / tile.n), Math.ceil(m / tile.m)],
  };
}

function subgroup(graph: Graph, rows: number, operation: Operation): Launch {
  const { m, n, k, transposeA, transposeB, scale, add, bias } = operation;
  const views = bias ? [...operation.views, bias] : operation.views;
  const { subgroupSize: lanes, subgroupPreamble: preamble } = graph.device;
  if (lanes === 0) {
    throw new Error(`matmul: "${graph.device.description}" has no subgroup operations of a fixed size`);
  }
  if (!isAligned([n, k, ...(transposeA ? [m] : [])], views) || (transposeA && rows > 4 * lanes)) {
    throw new RangeError(
      `matmul: the subgroup kernel with ${rows} rows takes sizes and blocks that 4 divides${
        transposeA ? ` and at most ${4 * lanes} rows` : ""
      }, not m ${m}, n ${n}, k ${k}`,
    );
  }
  const variant = { transposeA, transposeB, scale, add, bias: bias !== undefined };
  const code = subgroupText({ ...variant, lanes, rows, preamble });
  return {
    kernel: { label: `${label(operation)} subgroup ${rows}`, code },
    workgroups: [Math.ceil(n / 4 / lanes), Math.ceil(m / rows)],
  };
}
