/** Linear layers, with or without adapters, and their gradients. */
import { type Adapter, mergedWeight, partRows, rankRows, widened } from "./adapter.ts";
import { block } from "./block.ts";
import { differentiate, type Gradients, type Graph, needsGradient, temporary } from "./graph.ts";
import { matmul } from "./matmul.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/** The weights of a linear layer. */
export interface LinearWeights {
  /** [outputs, inputs], as Hugging Face stores it. */
  readonly weight: Tensor;
  /** What is added to the weight; then the weight itself is frozen. */
  readonly adapter?: Adapter | undefined;
}

/**
 * A linear layer without bias: y = x Wᵀ (+ residual), W with its adapter if it has one.
 *
 * Gradients: dx = dy W, dW += dyᵀ x, and dy for the residual; with an adapter, dB += scale · dyᵀ (x Aᵀ) and
 * dA += scale · (dy B)ᵀ x instead of dW.
 *
 * @param x [rows, inputs].
 * @param options.residual [rows, outputs], added to the result.
 * @returns [rows, outputs].
 */
export function linear(
  graph: Graph,
  x: Tensor,
  { weight, adapter, residual }: LinearWeights & { residual?: Tensor },
): Tensor {
  const { y, reduced } = applyLinear(graph, x, { weight, adapter, ...(residual ? { residual } : {}) });
  differentiate(graph, {
    output: y,
    inputs: [x, ...trainable({ weight, adapter }), ...(residual ? [residual] : [])],
    rule: (dy, gradients) => {
      if (residual !== undefined) addResidualGradient(graph, residual, { gradient: dy, gradients });
      const existing = gradients.get(x);
      const dx = linearGradients(graph, dy, {
        x,
        weight,
        adapter,
        ...(reduced ? { reduced } : {}),
        ...(existing ? { residual: existing } : {}),
      });
      if (dx !== undefined) gradients.set(x, dx);
    },
  });
  return y;
}

/** The tensors of a layer that may be trained. */
export function trainable({ weight, adapter }: LinearWeights): Tensor[] {
  return adapter === undefined ? [weight] : [adapter.a, ...adapter.parts.map(({ b }) => b)];
}

/**
 * Records y = x Wᵀ (+ residual) without its gradient.
 *
 * @returns The result, and x Aᵀ of an adapter that is trained.
 */
export function applyLinear(
  graph: Graph,
  x: Tensor,
  { weight, adapter, residual }: LinearWeights & { residual?: Tensor },
): { y: Tensor; reduced?: Tensor } {
  const options = { transposeB: true, ...(residual ? { residual } : {}) };
  if (adapter === undefined) return { y: matmul(graph, x, widened(graph, weight), options) };
  const isTrained = adapter.a.gradient !== undefined;
  if (!isTrained && mergingCosts(adapter) < reducingCosts(adapter, x.shape[0]!)) {
    return { y: matmul(graph, x, mergedWeight(graph, weight, { adapter }), options) };
  }
  const y = matmul(graph, x, widened(graph, weight), options);
  const reduced = matmul(graph, x, adapter.a, { transposeB: true }); // [rows, parts · rank]
  adapter.parts.forEach((part, index) => {
    matmul(graph, block(reduced, { columns: rankRows(adapter, index) }), part.b, {
      transposeB: true,
      scale: part.scale,
      into: block(y, { columns: partRows(part) }),
    });
  });
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
  const { x, weight, adapter, residual, output } = options;
  if (weight.gradient !== undefined && adapter === undefined) {
    matmul(graph, dy, x, { transposeA: true, into: weight.gradient });
  }
  const reducedGradient = adapter?.a.gradient === undefined
    ? undefined
    : adapterGradients(graph, dy, { ...options, adapter });
  if (output === undefined && !needsGradient(graph, x)) return undefined;
  const isFrozen = adapter !== undefined && reducedGradient === undefined;
  const effective = isFrozen ? mergedWeight(graph, weight, { adapter }) : widened(graph, weight);
  const dx = matmul(graph, dy, effective, {
    ...(residual ? { residual } : {}),
    ...(output ? { output } : {}),
  });
  if (adapter !== undefined && reducedGradient !== undefined) {
    matmul(graph, reducedGradient, adapter.a, { into: dx });
  }
  return dx;
}

/** Adds to the gradients of an adapter; returns scale · dy B, the gradient of x Aᵀ: [rows, parts · rank]. */
function adapterGradients(
  graph: Graph,
  dy: Tensor,
  { x, adapter, reduced }: { x: Tensor; adapter: Adapter; reduced?: Tensor },
): Tensor {
  const kept = reduced ?? matmul(graph, x, adapter.a, { transposeB: true });
  const reducedGradient = temporary([dy.shape[0]!, adapter.a.shape[0]!], "reduced gradient");
  adapter.parts.forEach((part, index) => {
    const ofPart = block(dy, { columns: partRows(part) });
    const ofRank = { columns: rankRows(adapter, index) };
    matmul(graph, ofPart, part.b, { scale: part.scale, output: block(reducedGradient, ofRank) });
    matmul(graph, ofPart, block(kept, ofRank), {
      transposeA: true,
      scale: part.scale,
      into: part.b.gradient!,
    });
  });
  matmul(graph, reducedGradient, x, { transposeA: true, into: adapter.a.gradient! });
  return reducedGradient;
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
