/** The policy: a small network over the actions so far, whose weights all states share. */
import { createRandom } from "@tr/align/data";
import { add, gelu, type Graph, type ParameterSet, type ParameterSpec, type Tensor } from "@tr/align/kernels";
import { batchedLinear } from "./batched_linear.ts";
import { ACTIONS, type Trajectory } from "./tree.ts";

/** Columns of the last layer, a multiple of 4 as the fast kernels want it; those beyond the actions are masked. */
export const OUTPUTS = Math.ceil(ACTIONS / 4) * 4;

/** Sizes of the network. */
export interface NetworkSizes {
  /** Actions of a trajectory. */
  readonly depth: number;
  /** Numbers in an embedding and in the hidden layer, a multiple of 4. */
  readonly width: number;
}

/** Length of a state's feature vector: one-hot actions by position and a 1, filled up to a multiple of 4 for the kernels. */
export function featureCount(depth: number): number {
  return Math.ceil((ACTIONS * (depth - 1) + 1) / 4) * 4;
}

/** A state as the network reads it; times the first layer's weights, the sum of its actions' embeddings. */
export function featuresOf(prefix: Trajectory, depth: number): Float32Array {
  const features = new Float32Array(featureCount(depth));
  features[0] = 1;
  prefix.forEach((action, position) => features[1 + position * ACTIONS + action] = 1);
  return features;
}

/** The weights of `networks` policies. */
export function networkParameters(networks: number, { depth, width }: NetworkSizes): ParameterSpec[] {
  return [
    { name: "embedding", shape: [networks, featureCount(depth), width] },
    { name: "hidden", shape: [networks, width, width] },
    { name: "head", shape: [networks, width, OUTPUTS] },
  ];
}

/**
 * Random weights of one network, normal with variance 1 / inputs.
 *
 * @param shape [inputs, outputs].
 * @param options.layer Which of the network's matrices.
 */
export function initialWeights(
  [inputs, outputs]: readonly [number, number],
  { seed, layer }: { seed: number; layer: number },
): Float32Array {
  const random = createRandom(seed, { stream: 1 + layer });
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform()); // Box–Muller
  return Float32Array.from({ length: inputs * outputs }, () => normal() / Math.sqrt(inputs));
}

/**
 * Logits of every policy over its rows' actions.
 *
 * @param rows.features [networks · rows, features].
 * @param rows.mask [networks · rows, 4], what {@linkcode actionMask} says.
 * @returns [networks · rows, 4].
 */
export function recordLogits(
  graph: Graph,
  weights: ParameterSet,
  { features, mask }: { features: Tensor; mask: Tensor },
): Tensor {
  const weight = (name: string) => weights.tensors.get(name)!;
  const embedded = gelu(graph, batchedLinear(graph, features, weight("embedding")), {
    approximation: "none",
  });
  const hidden = gelu(graph, batchedLinear(graph, embedded, weight("hidden")), { approximation: "none" });
  return add(graph, batchedLinear(graph, hidden, weight("head")), mask);
}

/** What is added to the logits of `rows` states: columns that are no actions get a logit whose probability is exactly 0. */
export function actionMask(rows: number): Float32Array {
  return Float32Array.from({ length: rows * OUTPUTS }, (_, i) => i % OUTPUTS < ACTIONS ? 0 : -1e4);
}
