/** The kernels of a training step, at the sizes of a model and a batch, with what each has to do at least. */
import type { BatchShape, PackedBatch } from "../data/pack.ts";
import { attention } from "../kernels/attention.ts";
import { lookUp } from "../kernels/embedding.ts";
import { gelu } from "../kernels/gelu.ts";
import type { Graph } from "../kernels/graph.ts";
import { layerNorm } from "../kernels/layer_norm.ts";
import { adamw, gradientNorm, mixParameters } from "../kernels/optimizer.ts";
import type { ParameterSet } from "../kernels/parameters.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rotary } from "../kernels/rotary.ts";
import { swiglu } from "../kernels/swiglu.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { tokenLogProbs } from "../kernels/token_log_probs.ts";
import type { ModelConfig } from "../models/config.ts";
import { optimizer } from "./cases.ts";
import type { Cost } from "./roofline.ts";

/** What the cases are measured at. */
export interface KernelSizes {
  /** The model. */
  readonly config: ModelConfig;
  /** The batch. */
  readonly shape: BatchShape;
  /** Its rows and slots. */
  readonly batch: PackedBatch;
  /** Elements of a parameter set. */
  readonly parameters: number;
}

/** Makes tensors for a case. */
export interface KernelTensors {
  /** Random values; a gradient flows to them. */
  values(shape: readonly number[]): Tensor;
  /** Indices or spans. */
  indices(values: Int32Array, shape?: readonly number[]): Tensor;
  /** A parameter set of the model's size. */
  set(label: string): ParameterSet;
}

/** A kernel, or the few kernels of one operation. */
export interface KernelCase {
  /** Its name. */
  readonly name: string;
  /**
   * Records the operation.
   *
   * @returns What a gradient comes to, if there is a backward pass.
   */
  record(graph: Graph, sizes: KernelSizes & KernelTensors): Tensor | null;
  /** The least that forward has to do. */
  forward(sizes: KernelSizes): Cost;
  /** The least that backward has to do. */
  backward?(sizes: KernelSizes): Cost;
  /** Which launches count, by label; all by default. */
  readonly only?: (label: string) => boolean;
}

/** Bytes of so many floats, which bound a kernel that computes little. */
const moved = (floats: number): Cost => ({ flops: 0, bytes: 4 * floats });

const queryKeyWidth = ({ config: { heads, keyValueHeads, headSize } }: KernelSizes) =>
  (heads + keyValueHeads) * headSize;
const qkvWidth = ({ config: { heads, keyValueHeads, headSize } }: KernelSizes) =>
  (heads + 2 * keyValueHeads) * headSize;

/** Pairs of a query and a key that it sees. */
export function visiblePairs({ spans }: Pick<PackedBatch, "spans">): number {
  let count = 0;
  for (let row = 0; row < spans.length / 4; row++) {
    const [start, end, own] = spans.subarray(4 * row) as unknown as [number, number, number];
    // Keys up to the row itself: those from start to end, and those from own on.
    const shared = Math.max(0, Math.min(end, own, row + 1) - start);
    count += shared + Math.max(0, row + 1 - own);
  }
  return count;
}

/** All cases. */
export const kernelCases: readonly KernelCase[] = [
  {
    name: "attention",
    record(graph, sizes) {
      const { config: { heads, keyValueHeads, headSize }, shape: { rows }, batch, values, indices } = sizes;
      const spans = indices(batch.spans, [rows, 4]);
      return attention(graph, values([rows, qkvWidth(sizes)]), { spans, heads, keyValueHeads, headSize });
    },
    // Two products a pair of query and key forward (scores, values); backward four gradients and the scores again.
    forward: (sizes) => attentionCost(sizes, { products: 2, tensors: 1 }),
    backward: (sizes) => attentionCost(sizes, { products: 5, tensors: 2 }),
  },
  {
    name: "rms norm",
    record(graph, { config, shape: { rows }, values }) {
      const { hiddenSize, normEpsilon } = config;
      return rmsNorm(graph, values([rows, hiddenSize]), {
        weight: values([hiddenSize]),
        epsilon: normEpsilon,
      });
    },
    forward: ({ config: { hiddenSize }, shape: { rows } }) => moved(2 * rows * hiddenSize),
    backward: ({ config: { hiddenSize }, shape: { rows } }) => moved(3 * rows * hiddenSize),
  },
  {
    name: "layer norm",
    record(graph, { config: { hiddenSize }, shape: { rows }, values }) {
      const [weight, bias] = [values([hiddenSize]), values([hiddenSize])];
      return layerNorm(graph, values([rows, hiddenSize]), { weight, bias, epsilon: 1e-5 });
    },
    forward: ({ config: { hiddenSize }, shape: { rows } }) => moved(2 * rows * hiddenSize),
    backward: ({ config: { hiddenSize }, shape: { rows } }) => moved(3 * rows * hiddenSize),
  },
  {
    name: "rotary",
    record(graph, sizes) {
      const { config: { heads, keyValueHeads, headSize }, shape: { rows }, batch, values, indices } = sizes;
      const positions = Math.max(...batch.positions) + 1;
      return rotary(graph, values([rows, qkvWidth(sizes)]), {
        positions: indices(batch.positions),
        cosines: values([positions, headSize / 2]),
        sines: values([positions, headSize / 2]),
        heads: heads + keyValueHeads,
        headSize,
      });
    },
    forward: (sizes) => moved(2 * sizes.shape.rows * queryKeyWidth(sizes)),
    backward: (sizes) => moved(2 * sizes.shape.rows * queryKeyWidth(sizes)),
  },
  {
    name: "swiglu",
    record: (graph, { config: { intermediateSize }, shape: { rows }, values }) =>
      swiglu(graph, values([rows, 2 * intermediateSize])),
    forward: ({ config: { intermediateSize }, shape: { rows } }) => moved(3 * rows * intermediateSize),
    backward: ({ config: { intermediateSize }, shape: { rows } }) => moved(5 * rows * intermediateSize),
  },
  {
    name: "gelu",
    record: (graph, { config: { intermediateSize }, shape: { rows }, values }) =>
      gelu(graph, values([rows, intermediateSize]), { approximation: "tanh" }),
    forward: ({ config: { intermediateSize }, shape: { rows } }) => moved(2 * rows * intermediateSize),
    backward: ({ config: { intermediateSize }, shape: { rows } }) => moved(3 * rows * intermediateSize),
  },
  {
    name: "look-up",
    record(graph, { config, shape: { rows }, batch, values, indices }) {
      return lookUp(graph, values([config.vocabularySize, config.hiddenSize]), {
        indices: indices(batch.tokens),
        lists: {
          targets: indices(batch.token_list_targets),
          starts: indices(batch.token_list_starts, [rows + 1]),
          rows: indices(batch.token_list_rows),
        },
      });
    },
    forward: ({ config: { hiddenSize }, shape: { rows } }) => moved(2 * rows * hiddenSize),
    backward: ({ config: { hiddenSize }, shape: { rows }, batch }) =>
      moved((rows + 2 * new Set(batch.tokens).size) * hiddenSize),
  },
  {
    name: "token log-probs",
    record(graph, { config, shape: { slots }, batch, values, indices }) {
      const head = values([config.vocabularySize, config.hiddenSize]);
      const other = { hidden: values([slots, config.hiddenSize]), head };
      return tokenLogProbs(graph, values([slots, config.hiddenSize]), {
        head,
        targets: indices(batch.slot_targets),
        others: [other],
      }).logProbs;
    },
    // Their products are measured elsewhere: this is what reads the logits of one model, and then of two.
    only: (label) => label.startsWith("token"),
    forward: ({ config: { vocabularySize }, shape: { slots } }) => moved(3 * slots * vocabularySize),
    backward: ({ config: { vocabularySize }, shape: { slots } }) => moved(2 * slots * vocabularySize),
  },
  {
    name: "norm of gradients",
    record(graph, { set }) {
      gradientNorm(graph, set("gradients"), { limit: 1 });
      return null;
    },
    forward: ({ parameters }) => moved(parameters),
  },
  {
    name: "adamw",
    record(graph, { set, values }) {
      const [parameters, gradients] = [set("policy"), set("gradients")];
      const sets = { parameters, gradients, first: set("first moments"), second: set("second moments") };
      adamw(graph, sets, { ...optimizer, step: values([4]), norm: values([4]) });
      return null;
    },
    forward: ({ parameters }) => moved(7 * parameters),
  },
  {
    name: "reference mix",
    record(graph, { set, values }) {
      mixParameters(graph, { reference: set("reference"), policy: set("policy") }, { alpha: values([4]) });
      return null;
    },
    forward: ({ parameters }) => moved(3 * parameters),
  },
];

function attentionCost(
  sizes: KernelSizes,
  { products, tensors }: { products: number; tensors: number },
): Cost {
  const { config: { heads, headSize }, shape: { rows }, batch } = sizes;
  return {
    flops: 2 * products * heads * headSize * visiblePairs(batch),
    bytes: 4 * rows * tensors * (qkvWidth(sizes) + heads * headSize),
  };
}
