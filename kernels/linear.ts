/** Linear layers, with or without biases and adapters, and their gradients. */
import { type Adapter, mergedWeight, partRows, rankRows } from "./adapter.ts";
import { passGradient } from "./add.ts";
import { block, columnsOf } from "./block.ts";
import { columnSums } from "./column_sums.ts";
import { differentiate, type Graph, needsGradient, replacesGradient, temporary } from "./graph.ts";
import { matmul, type PlusOptions } from "./matmul.ts";
import { sizeOf, type Tensor } from "./tensor.ts";
import { type Matrix, partsOf, weightProduct } from "./weight_parts.ts";

/** The weights of a linear layer. */
export interface LinearWeights {
  /** [outputs, inputs], as Hugging Face stores it; a list where one tensor can't hold it: rows that continue each other. */
  readonly weight: Tensor | readonly Tensor[];
  /** The weight is stored [inputs, outputs], like GPT-2's `Conv1D`. */
  readonly transposed?: boolean | undefined;
  /** [outputs], added to every row; beside an adapter too, frozen or trained. */
  readonly bias?: Tensor | undefined;
  /** What is added to the weight; then the weight itself is frozen. */
  readonly adapter?: Adapter | undefined;
}

/**
 * A linear layer: y = x Wᵀ (+ bias) (+ residual), W with its adapter if it has one.
 *
 * Gradients: dx = dy W, dW += dyᵀ x, the sum of dy's rows for the bias, and dy for the residual; with an adapter,
 * dB += scale · dyᵀ (x Aᵀ) and dA += scale · (dy B)ᵀ x instead of dW.
 *
 * The residual's gradient costs nothing where no later operation read the residual. So of several branches of one
 * tensor, record all norms first, then what is added to it.
 *
 * @param x [rows, inputs].
 * @param options.residual [rows, outputs], added to the result.
 * @returns [rows, outputs].
 */
export function linear(graph: Graph, x: Tensor, options: LinearWeights & { residual?: Tensor }): Tensor {
  const { residual, ...layer } = options;
  const { y, reduced } = applyLinear(graph, x, options);
  differentiate(graph, {
    output: y,
    inputs: [x, ...trainable(layer), ...(residual ? [residual] : [])],
    rule: (dy, gradients) => {
      if (residual !== undefined) passGradient(graph, residual, { gradient: dy, gradients });
      const existing = gradients.get(x);
      const dx = linearGradients(graph, dy, {
        x,
        ...layer,
        ...(reduced ? { reduced } : {}),
        ...(existing ? { residual: existing } : {}),
      });
      if (dx !== undefined) gradients.set(x, dx);
    },
  });
  return y;
}

/** The tensors of a layer that may be trained. */
export function trainable({ weight, bias, adapter }: LinearWeights): Tensor[] {
  const weights = adapter === undefined
    ? partsOf(weight).map(({ tensor }) => tensor)
    : [adapter.a, ...adapter.parts.map(({ b }) => b)];
  return bias === undefined ? weights : [...weights, bias];
}

/**
 * Records y = x Wᵀ (+ bias) (+ residual) without its gradient.
 *
 * @returns The result, and x Aᵀ of an adapter that is trained.
 */
export function applyLinear(
  graph: Graph,
  x: Tensor,
  options: LinearWeights & { residual?: Tensor },
): { y: Tensor; reduced?: Tensor } {
  const { weight, transposed = false, bias, adapter, residual } = options;
  const product = (weight: Matrix, plus: readonly PlusOptions[] = []) =>
    weightProduct(graph, x, { weight, transpose: !transposed, bias, residual, plus });
  if (adapter === undefined) return { y: product(weight) };
  const isTrained = adapter.a.gradient !== undefined;
  if (!isTrained && "shape" in weight && mergingCosts(adapter) < reducingCosts(adapter, x.shape[0]!)) {
    return { y: product(mergedWeight(graph, weight, { adapter, transposed })) };
  }
  const reduced = matmul(graph, x, adapter.a, { transposeB: true }); // [rows, parts · rank]
  const plus = adapter.parts.map((part, index) => ({
    a: block(reduced, { columns: rankRows(adapter, index) }),
    b: part.b,
    transposeB: true,
    scale: part.scale,
    columns: partRows(part),
  }));
  const y = product(weight, plus);
  return isTrained ? { y, reduced } : { y };
}

/** Multiplications to add an adapter to its weight. */
function mergingCosts({ a, parts }: Adapter): number {
  return parts.reduce((sum, { b }) => sum + sizeOf(b.shape), 0) * a.shape[1]!;
}

/** Multiplications to apply it to rows beside the weight. */
function reducingCosts({ a, parts }: Adapter, rows: number): number {
  return rows * (sizeOf(a.shape) + parts.reduce((sum, { b }) => sum + sizeOf(b.shape), 0));
}

/** What {@linkcode linearGradients} needs besides the gradient of the result. */
export interface LinearGradientOptions extends LinearWeights {
  /** [rows, inputs]. */
  readonly x: Tensor;
  /** x Aᵀ, if it was kept. */
  readonly reduced?: Tensor;
  /** Added to dx. */
  readonly residual?: Tensor;
  /** Where to write dx. */
  readonly output?: Tensor;
}

/** Adds to the gradients of a layer's weights and records dx, which is returned if x needs one. */
export function linearGradients(
  graph: Graph,
  dy: Tensor,
  options: LinearGradientOptions,
): Tensor | undefined {
  const { x, weight, transposed = false, bias, adapter, residual, output } = options;
  if (bias?.gradient !== undefined) columnSums(graph, dy, bias.gradient);
  if (adapter === undefined) weightGradients(graph, dy, options);
  const isTrained = adapter?.a.gradient !== undefined;
  const reachesInput = output !== undefined || needsGradient(graph, x);
  // A frozen adapter is added to its weight first, which is possible where that is one tensor.
  const isMerged = adapter !== undefined && !isTrained && "shape" in weight;
  const isBeside = adapter !== undefined && (isTrained || (reachesInput && !isMerged));
  const reducedGradient = isBeside ? adapterGradients(graph, dy, { ...options, adapter }) : undefined;
  if (!reachesInput) return undefined;
  return weightProduct(graph, dy, {
    weight: isMerged ? mergedWeight(graph, weight, { adapter, transposed }) : weight,
    transpose: transposed,
    residual,
    output,
    ...(isBeside ? { plus: [{ a: reducedGradient!, b: adapter.a }] } : {}),
  });
}

/** Where a product goes that is a contribution to a parameter's gradient. */
function gradientTarget(graph: Graph, gradient: Tensor): { output: Tensor } | { into: Tensor } {
  return replacesGradient(graph, gradient) ? { output: gradient } : { into: gradient };
}

/** dW += dyᵀ x, or xᵀ dy where W is stored transposed, for each part of W that is trained. */
function weightGradients(graph: Graph, dy: Tensor, { x, weight, transposed }: LinearGradientOptions): void {
  for (const { tensor, rows } of partsOf(weight)) {
    if (tensor.gradient === undefined) continue;
    const [left, right] = transposed ? [x, dy] : [dy, x];
    matmul(graph, columnsOf(left, rows), right, {
      transposeA: true,
      ...gradientTarget(graph, tensor.gradient),
    });
  }
}

/**
 * Adds to the gradients of an adapter that is trained; returns scale · dy B, the gradient of x Aᵀ:
 * [rows, parts · rank].
 */
function adapterGradients(
  graph: Graph,
  dy: Tensor,
  { x, adapter, reduced }: { x: Tensor; adapter: Adapter; reduced?: Tensor },
): Tensor {
  const isTrained = adapter.a.gradient !== undefined;
  const kept = isTrained ? reduced ?? matmul(graph, x, adapter.a, { transposeB: true }) : undefined;
  const reducedGradient = temporary([dy.shape[0]!, adapter.a.shape[0]!], "reduced gradient");
  adapter.parts.forEach((part, index) => {
    const ofPart = block(dy, { columns: partRows(part) });
    const ofRank = { columns: rankRows(adapter, index) };
    matmul(graph, ofPart, part.b, { scale: part.scale, output: block(reducedGradient, ofRank) });
    if (kept === undefined) return;
    matmul(graph, ofPart, block(kept, ofRank), {
      transposeA: true,
      scale: part.scale,
      ...gradientTarget(graph, part.b.gradient!),
    });
  });
  if (isTrained) {
    matmul(graph, reducedGradient, x, {
      transposeA: true,
      ...gradientTarget(graph, adapter.a.gradient!),
    });
  }
  return reducedGradient;
}
