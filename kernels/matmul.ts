/** Matrix products. */
import { type Block, type MatrixView, viewOf } from "./block.ts";
import { dispatch, type Graph, temporary } from "./graph.ts";
import { chooseVariant } from "./matmul_choice.ts";
import { isAligned, launchMatmul, type Operation } from "./matmul_launch.ts";
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
  /** Add the product to this instead of making a new tensor. */
  into?: Tensor | Block;
  /** Write the product to this instead of making a new tensor. */
  output?: Tensor | Block;
  /** Force a kernel, for tests and benchmarks. */
  variant?: MatmulVariant;
  /** Force how much of the inner size a launch of the subgroup kernel sums, a multiple of 4; for tests and benchmarks. */
  depth?: number;
}

/**
 * Records a product of matrices, of parts of matrices, or of two batches of matrices: scale · op(a) · op(b) (+ bias)
 * (+ residual).
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
  const { transposeA = false, transposeB = false, scale = 1, bias, residual, into, output } = options;
  const [viewA, viewB] = [viewOf(a), viewOf(b)];
  const { batch, m, n, k } = productSizes(viewA, viewB, { transposeA, transposeB });
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
    add: into !== undefined ? "result" : added !== undefined ? "residual" : "nothing",
    residual: added?.tensor,
    bias: shift,
  };
  for (const launch of launchMatmul(graph.device, operation, { variant, depth: options.depth })) {
    dispatch(graph, launch);
  }
  return result.tensor;
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
