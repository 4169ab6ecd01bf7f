/** Matrix products: which variant to run for which shape, and the gradient of a linear layer. */
import {
  differentiate,
  type Dispatch,
  dispatch,
  type Gradients,
  type Graph,
  type Kernel,
  needsGradient,
  temporary,
} from "./graph.ts";
import { subgroupMatmulWgsl } from "./matmul_subgroup.ts";
import { type Tile, tiledMatmulWgsl, tiles } from "./matmul_tiled.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode matmul}. */
export interface MatmulOptions {
  /** `a` is stored transposed, [k, m]. */
  transposeA?: boolean;
  /** `b` is stored transposed, [n, k]. */
  transposeB?: boolean;
  /** A tensor of the result's shape that is added to the product. */
  residual?: Tensor;
  /** Add the product to this tensor instead of making a new one. */
  into?: Tensor;
  /** Write the product to this tensor instead of making a new one. */
  output?: Tensor;
  /** Force a kernel, for tests and benchmarks. */
  variant?: MatmulVariant;
  /** Force how much of the inner size a launch of the subgroup kernel sums, a multiple of 4; for tests and benchmarks. */
  depth?: number;
}

/** Kernels to choose from: a tile for workgroup memory, or rows a lane for the subgroup kernel. */
export type MatmulVariant = "small" | "medium" | "large" | { readonly rows: number };

/**
 * Records a product of matrices, or of two batches of matrices: op(a) · op(b) (+ residual).
 *
 * No gradient flows through it; see {@linkcode linear}.
 *
 * @param a [m, k] or [batch, m, k]; with `transposeA` [k, m].
 * @param b [k, n] or [batch, k, n]; with `transposeB` [n, k].
 * @returns [m, n] or [batch, m, n].
 * @throws If the inner sizes or batches differ, or options exclude each other.
 */
export function matmul(graph: Graph, a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, residual, into, output } = options;
  const shape = productShape(a, b, { transposeA, transposeB });
  const { batch, m, n, k } = shape;
  const resultShape = a.shape.length === 3 ? [batch, m, n] : [m, n];
  if (into !== undefined && (residual !== undefined || output !== undefined)) {
    throw new Error(
      "matmul: `into` is what the product is added to; give neither `residual` nor `output` with it",
    );
  }
  for (const other of [residual, into, output]) {
    if (other !== undefined && other.shape.join() !== resultShape.join()) {
      throw new RangeError(
        `matmul: the product is [${resultShape}], the tensor to add it to or write it to is [${other.shape}]`,
      );
    }
  }
  const add = into !== undefined ? "result" : residual !== undefined ? "residual" : "nothing";
  const result = into ?? output ?? temporary(resultShape, "matmul");
  const variant = options.variant ?? chooseVariant(graph, { ...shape, transposeA });
  const operation = { m, n, k, transposeA, transposeB, add } as const;
  if (typeof variant === "string") {
    const { kernel, workgroups } = tiled(variant, operation);
    dispatch(graph, {
      kernel,
      bindings: bind(add),
      uniforms: [m, n, k],
      workgroups: [workgroups[0], workgroups[1], batch],
    });
    return result;
  }
  const depth = options.depth ?? chooseDepth(shape, variant.rows);
  for (let first = 0; first < k; first += depth) {
    const part = first === 0 ? add : "result";
    const { kernel, workgroups } = subgroup(graph, variant.rows, { ...operation, add: part });
    dispatch(graph, {
      kernel,
      bindings: bind(part),
      uniforms: [m, n, k, first, Math.min(k, first + depth)],
      workgroups: [workgroups[0], workgroups[1], batch],
    });
  }
  return result;

  function bind(add: Operation["add"]): Dispatch["bindings"] {
    return [
      [a, "read"],
      [b, "read"],
      [result, add === "result" ? "update" : "write"],
      ...(add === "residual" ? [[residual!, "read"] as const] : []),
    ];
  }
}

/**
 * A linear layer without bias: y = x Wᵀ (+ residual).
 *
 * Gradients: dx = dy W, dW += dyᵀ x, and dy for the residual.
 *
 * @param x [rows, inputs].
 * @param weight [outputs, inputs], as Hugging Face stores it.
 * @param options.residual [rows, outputs], added to the result.
 * @returns [rows, outputs].
 */
export function linear(
  graph: Graph,
  x: Tensor,
  { weight, residual }: { weight: Tensor; residual?: Tensor },
): Tensor {
  const y = matmul(graph, x, weight, { transposeB: true, ...(residual ? { residual } : {}) });
  differentiate(graph, {
    output: y,
    inputs: [x, weight, ...(residual ? [residual] : [])],
    rule: (dy, gradients) => {
      if (residual !== undefined) addResidualGradient(graph, residual, { gradient: dy, gradients });
      linearGradient(graph, { x, weight, dy, gradients });
    },
  });
  return y;
}

/** dx and dW of y = x Wᵀ. */
export function linearGradient(
  graph: Graph,
  { x, weight, dy, gradients }: { x: Tensor; weight: Tensor; dy: Tensor; gradients: Gradients },
): void {
  if (weight.gradient !== undefined) matmul(graph, dy, x, { transposeA: true, into: weight.gradient });
  if (!needsGradient(graph, x)) return;
  const existing = gradients.get(x);
  gradients.set(x, matmul(graph, dy, weight, existing ? { residual: existing } : {}));
}

/** A residual branch passes its gradient on; it must be the first to reach the tensor, which walking backwards ensures. */
function addResidualGradient(
  graph: Graph,
  residual: Tensor,
  { gradient, gradients }: { gradient: Tensor; gradients: Gradients },
): void {
  if (!needsGradient(graph, residual)) return;
  if (gradients.has(residual)) {
    throw new Error("linear: the residual already has a gradient from a later operation");
  }
  gradients.set(residual, gradient);
}

interface ProductShape {
  batch: number;
  m: number;
  n: number;
  k: number;
}

function productShape(
  a: Tensor,
  b: Tensor,
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
  { batch, m, n, k, transposeA }: ProductShape & { transposeA: boolean },
): MatmulVariant {
  const { software, subgroupSize } = graph.device;
  const aligned = n % 4 === 0 && k % 4 === 0 && (!transposeA || m % 4 === 0);
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
  add: "nothing" | "result" | "residual";
}

interface Launch {
  kernel: Kernel;
  workgroups: readonly [number, number];
}

function label({ transposeA, transposeB }: Operation): string {
  return `matmul ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;
}

function tiled(name: keyof typeof tiles, operation: Operation): Launch {
  const { m, n, k, transposeA, transposeB, add } = operation;
  const tile = tiles[name];
  const vectorA = (transposeA ? m : k) % 4 === 0;
  const vectorB = (transposeB ? k : n) % 4 === 0;
  const code = tiledMatmulWgsl({ transposeA, transposeB, vectorA, vectorB, vectorC: n % 4 === 0, add, tile });
  return {
    kernel: { label: `${label(operation)} ${name}`, code },
    workgroups: [Math.ceil(n / tile.n), Math.ceil(m / tile.m)],
  };
}

function subgroup(graph: Graph, rows: number, operation: Operation): Launch {
  const { m, n, k, transposeA, transposeB, add } = operation;
  const { subgroupSize: lanes, subgroupPreamble: preamble } = graph.device;
  if (lanes === 0) {
    throw new Error(`matmul: "${graph.device.description}" has no subgroup operations of a fixed size`);
  }
  if (n % 4 !== 0 || k % 4 !== 0 || (transposeA && m % 4 !== 0) || (transposeA && rows > 4 * lanes)) {
    throw new RangeError(
      `matmul: the subgroup kernel with ${rows} rows takes sizes that 4 divides${
        transposeA ? ` and at most ${4 * lanes} rows` : ""
      }, not m ${m}, n ${n}, k ${k}`,
    );
  }
  const code = subgroupMatmulWgsl({ transposeA, transposeB, add, lanes, rows, preamble });
  return {
    kernel: { label: `${label(operation)} subgroup ${rows}`, code },
    workgroups: [Math.ceil(n / 4 / lanes), Math.ceil(m / rows)],
  };
}
