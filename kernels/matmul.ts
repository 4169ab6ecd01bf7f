/** Matrix products. */
import { type Block, columnsOf, type MatrixView, viewOf } from "./block.ts";
import { dispatch, type Graph, temporary } from "./graph.ts";
import { chooseVariant } from "./matmul_choice.ts";
import { isAligned, launchMatmul, type Operation, pieceDepth } from "./matmul_launch.ts";
import { joinProducts, type Summand } from "./matmul_plus.ts";
import { type MatmulVariant, type ProductShape, variantProblem } from "./matmul_variants.ts";
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
  /** More products that are added, each to columns of its own; where that pays, by the same launches. */
  plus?: readonly PlusOptions[];
  /** Add the product to this instead of making a new tensor. */
  into?: Tensor | Block;
  /** Write the product to this instead of making a new tensor. */
  output?: Tensor | Block;
  /** Force a kernel, for tests and benchmarks. */
  variant?: MatmulVariant;
  /** Force how much of the inner size a launch of the subgroup kernel sums, a multiple of 4; for tests and benchmarks. */
  depth?: number;
}

/** A product that {@linkcode matmul} adds to columns of its own. */
export interface PlusOptions {
  /** [m, rank]. */
  a: Tensor | Block;
  /** [rank, columns], in float32; with `transposeB` [columns, rank]. */
  b: Tensor | Block;
  /** `b` is stored transposed. */
  transposeB?: boolean;
  /** Factor on this product; default 1. */
  scale?: number;
  /** The first column that it is added to, and the one after the last; all by default. */
  columns?: readonly [start: number, end: number];
}

/**
 * Records a product of matrices, of parts of matrices, or of two batches of matrices: scale · op(a) · op(b) (+ bias)
 * (+ residual) (+ other products).
 *
 * No gradient flows through it; see `linear`.
 *
 * @param a [m, k] or [batch, m, k]; with `transposeA` [k, m].
 * @param b [k, n] or [batch, k, n]; with `transposeB` [n, k]. In float32 or bfloat16, which is decoded as it is read.
 * @returns [m, n] or [batch, m, n]; the whole matrix where `into` or `output` is a block.
 * @throws If the inner sizes or batches differ, or options exclude each other.
 */
export function matmul(
  graph: Graph,
  a: Tensor | Block,
  b: Tensor | Block,
  options: MatmulOptions = {},
): Tensor {
  const { transposeA = false, transposeB = false, scale = 1, bias, residual, into, output, plus = [] } =
    options;
  const [viewA, viewB] = [viewOf(a), viewOf(b)];
  const { batch, m, n, k } = productSizes(viewA, viewB, { transposeA, transposeB });
  const resultShape = viewA.shape.length === 3 ? [batch, m, n] : [m, n];
  if (into !== undefined && (residual !== undefined || output !== undefined)) {
    throw new Error(
      "matmul: `into` is what the product is added to; give neither `residual` nor `output` with it",
    );
  }
  const target = into ?? output ?? temporary(resultShape, "matmul");
  const result = viewOf(target);
  const added = residual === undefined ? undefined : viewOf(residual);
  for (const view of [result, ...(added ? [added] : [])]) checkResult(view, { resultShape, result });
  const shift = bias === undefined ? undefined : biasView(bias, n);
  for (const { tensor } of [viewA, result, ...(added ? [added] : []), ...(shift ? [shift] : [])]) {
    if (tensor.dtype === "bf16") {
      throw new TypeError(`matmul: "${tensor.storage.label}" is in bfloat16; only b may be`);
    }
  }
  const views = [viewA, viewB, result, ...(shift ? [shift] : [])];
  const product: ProductShape = {
    batch,
    m,
    n,
    k,
    transposeA,
    transposeB,
    packedB: viewB.tensor.dtype === "bf16",
    aligned: isAligned(views.flatMap(({ stride, start }) => [stride, start])),
  };
  const variant = options.variant ?? chooseVariant(graph.device, product);
  const problem = variantProblem(graph.device, { variant, product });
  if (problem !== undefined) throw new RangeError(`matmul: ${problem}`);
  const operation: Operation = {
    product,
    scale,
    a: viewA,
    b: viewB,
    result,
    plus: undefined,
    add: into !== undefined ? "result" : added !== undefined ? "residual" : "nothing",
    residual: added?.tensor,
    bias: shift,
  };
  const summands = plus.map((options) => summandOf(options, { m, n }));
  const joined = summands.length === 0 ? undefined : joinProducts(operation, { summands, variant });
  const depth = options.depth ?? ("rows" in variant ? pieceDepth(product, variant) : undefined);
  for (const each of joined ?? [operation]) {
    for (const launch of launchMatmul(graph.device, each, { variant, depth })) {
      dispatch(graph, launch);
    }
  }
  if (joined === undefined) addProducts(graph, target, plus);
  return result.tensor;
}

/** Records products that are added to columns of `target`, each by a launch of its own. */
export function addProducts(graph: Graph, target: Tensor | Block, products: readonly PlusOptions[]): void {
  for (const { a, b, columns, ...rest } of products) {
    matmul(graph, a, b, { ...rest, into: columns ? columnsOf(target, columns) : target });
  }
}

function summandOf(
  { a, b, transposeB = false, scale = 1, columns }: PlusOptions,
  { m, n }: { m: number; n: number },
): Summand {
  const [viewA, viewB] = [viewOf(a), viewOf(b)];
  const sizes = productSizes(viewA, viewB, { transposeA: false, transposeB });
  const [start, end] = columns ?? [0, n];
  if (sizes.batch !== 1 || sizes.m !== m || sizes.n !== end - start || start < 0 || end > n) {
    throw new RangeError(
      `matmul: the product is [${m},${n}], what to add to its columns ${start}…${end} is [${sizes.m},${sizes.n}]`,
    );
  }
  for (const { tensor } of [viewA, viewB]) {
    if (tensor.dtype === "bf16") {
      throw new TypeError(
        `matmul: "${tensor.storage.label}" is in bfloat16; what is added has to be in float32`,
      );
    }
  }
  return { a: viewA, b: viewB, transposeB, scale, columns: [start, end] };
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

function productSizes(
  a: MatrixView,
  b: MatrixView,
  options: { transposeA: boolean; transposeB: boolean },
): Pick<ProductShape, "batch" | "m" | "n" | "k"> {
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
