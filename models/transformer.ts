/** The transformer of every family, as a pure function over tensors: packed token rows in, hidden states out. */
import type { Adapter } from "../kernels/adapter.ts";
import { add } from "../kernels/add.ts";
import { attention } from "../kernels/attention.ts";
import { checkpoint } from "../kernels/checkpoint.ts";
import { lookUp, type RowLists } from "../kernels/embedding.ts";
import { gelu } from "../kernels/gelu.ts";
import type { Graph } from "../kernels/graph.ts";
import { headNorm } from "../kernels/head_norm.ts";
import { layerNorm } from "../kernels/layer_norm.ts";
import { linear, type LinearWeights } from "../kernels/linear.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rotary } from "../kernels/rotary.ts";
import { swiglu } from "../kernels/swiglu.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { ModelConfig } from "./config.ts";
import type { RotaryTables } from "./rotary_tables.ts";

/** The weights of a model by parameter name, and the adapters of some of them; a parameter set or a map of tensors will do. */
export interface Weights {
  /** The parameter of that name; in pieces, from the first row to the last, if it is too large for one binding. */
  get(name: string): Tensor | readonly Tensor[] | undefined;
  /** By the name of the weight that they belong to. */
  readonly adapters?: ReadonlyMap<string, Adapter>;
}

/** What the model reads besides its weights. */
export interface TransformerInputs {
  /** u32 [rows], token ids. */
  readonly tokens: Tensor;
  /** u32 [rows], position of each row in its sequence. */
  readonly positions: Tensor;
  /** The rotary angles; null where positions are learned. */
  readonly rotaryTables: RotaryTables | null;
  /** Rows of each distinct token; needed only in training. */
  readonly tokenLists?: RowLists;
  /** Rows of each distinct position; needed only in training where positions are learned. */
  readonly positionLists?: RowLists;
}

/** How a layer attends: takes the rotated queries, keys and values of all rows, returns the attended values. */
export type Attend = (qkv: Tensor, layer: number) => Tensor;

/** Whether a layer sees only so many positions back. */
export function isWindowed({ slidingWindow, windowedFrom }: ModelConfig, layer: number): boolean {
  return slidingWindow !== null && layer >= windowedFrom;
}

/**
 * Attention within the packed sequences of a batch; see {@linkcode attention} for spans.
 *
 * @param options.windowSpans For layers with a window, where that is shorter than the sequences.
 */
export function attendWithin(
  graph: Graph,
  config: ModelConfig,
  { spans, windowSpans }: { spans: Tensor; windowSpans?: Tensor | undefined },
): Attend {
  const { heads, keyValueHeads, headSize } = config;
  return (qkv, layer) => {
    const seen = windowSpans !== undefined && isWindowed(config, layer) ? windowSpans : spans;
    return attention(graph, qkv, { spans: seen, heads, keyValueHeads, headSize });
  };
}

/** Which activations a backward pass computes again instead of keeping them: none, or all within each block. */
export type Checkpointing = "none" | "block";

/** Options of {@linkcode transformer}. */
export interface TransformerOptions {
  /** The architecture. */
  readonly config: ModelConfig;
  /** The rows. */
  readonly inputs: TransformerInputs;
  /** How rows see each other: {@linkcode attendWithin} or a cache. */
  readonly attend: Attend;
  /** What a backward pass computes again; default `none`. */
  readonly checkpointing?: Checkpointing;
}

/**
 * The residual stream after the last block, before the final norm.
 *
 * @param weights Parameters as `modelParameters` names them.
 * @returns [rows, hiddenSize].
 */
export function transformer(graph: Graph, weights: Weights, options: TransformerOptions): Tensor {
  const { config, checkpointing = "none" } = options;
  let x = embed(graph, weights, options); // [rows, C]
  for (let n = 0; n < config.layers; n++) {
    const read = x;
    const record = () => block(graph, read, { ...options, weights, layer: n });
    x = checkpointing === "block" ? checkpoint(graph, record) : record();
  }
  return x;
}

/** Attention and the feed-forward layer, each added to the residual stream. */
function block(
  graph: Graph,
  x: Tensor,
  options: TransformerOptions & { weights: Weights; layer: number },
): Tensor {
  const { config, attend, weights, layer: n } = options;
  const layer = (name: string) => layerOf(weights, `layers.${n}.${name}`, config);
  const normed = norm(graph, x, { config, weights, name: `layers.${n}.input_norm` });
  const feedForwardNorm = (read: Tensor) =>
    norm(graph, read, { config, weights, name: `layers.${n}.feed_forward_norm` });
  // Before x is added to anything, so that the norm's own kernel adds the gradients of x.
  const parallel = config.parallelResidual ? feedForwardNorm(x) : null;
  const qkv = linear(graph, normed, layer("qkv")); // [rows, (H + 2 Hk) D]
  const attended = attend(place(graph, qkv, options), n); // [rows, H D]
  const after = linear(graph, attended, { ...layer("output"), residual: x });
  const fed = parallel ?? feedForwardNorm(after);
  const active = activate(graph, fed, options); // [rows, F]
  return linear(graph, active, { ...layer("down"), residual: after });
}

/** Token embeddings, and those of positions where they are learned. */
function embed(
  graph: Graph,
  weights: Weights,
  { config, inputs }: { config: ModelConfig; inputs: TransformerInputs },
): Tensor {
  const { tokens, positions, tokenLists, positionLists } = inputs;
  const look = (name: string, indices: Tensor, lists: RowLists | undefined) =>
    lookUp(graph, weightOf(weights, name), { indices, ...(lists ? { lists } : {}) });
  const embedded = look("embedding", tokens, tokenLists);
  return config.positions === "rotary"
    ? embedded
    : add(graph, embedded, look("positions", positions, positionLists));
}

/** Norms of the heads, and rotation by position. */
function place(
  graph: Graph,
  qkv: Tensor,
  { config, inputs, weights, layer }: {
    config: ModelConfig;
    inputs: TransformerInputs;
    weights: Weights;
    layer: number;
  },
): Tensor {
  const { heads, keyValueHeads, headSize, rotated } = config;
  const normed = config.headNorms
    ? headNorm(graph, qkv, {
      queryWeight: vectorOf(weights, `layers.${layer}.query_norm`),
      keyWeight: vectorOf(weights, `layers.${layer}.key_norm`),
      heads,
      keyValueHeads,
      headSize,
      epsilon: config.normEpsilon,
    })
    : qkv;
  if (inputs.rotaryTables === null) return normed;
  return rotary(graph, normed, {
    positions: inputs.positions,
    ...inputs.rotaryTables,
    heads: heads + keyValueHeads,
    headSize,
    rotated,
  });
}

/** The feed-forward layer up to its last matrix. */
function activate(
  graph: Graph,
  x: Tensor,
  { config, weights, layer }: { config: ModelConfig; weights: Weights; layer: number },
): Tensor {
  if (config.activation === "swiglu") {
    return swiglu(graph, linear(graph, x, layerOf(weights, `layers.${layer}.gate_up`, config)));
  }
  const approximation = config.activation === "gelu" ? "none" : "tanh";
  return gelu(graph, linear(graph, x, layerOf(weights, `layers.${layer}.up`, config)), { approximation });
}

/** The final norm, applied to the rows that predict something. */
export function finalNorm(
  graph: Graph,
  x: Tensor,
  { config, weights }: { config: ModelConfig; weights: Weights },
): Tensor {
  return norm(graph, x, { config, weights, name: "norm" });
}

/** The layer that turns hidden states into logits: [vocabularySize, hiddenSize]. */
export function outputHead(config: ModelConfig, weights: Weights): LinearWeights {
  const name = config.tieWordEmbeddings ? "embedding" : "head";
  return { weight: weightOf(weights, name), adapter: weights.adapters?.get(name) };
}

function norm(
  graph: Graph,
  x: Tensor,
  { config, weights, name }: { config: ModelConfig; weights: Weights; name: string },
): Tensor {
  const weight = vectorOf(weights, name);
  const { normEpsilon: epsilon } = config;
  if (config.norm === "rms") return rmsNorm(graph, x, { weight, epsilon });
  return layerNorm(graph, x, { weight, bias: vectorOf(weights, `${name}.bias`), epsilon });
}

function layerOf(weights: Weights, name: string, { transposed }: ModelConfig): LinearWeights {
  return {
    weight: weightOf(weights, name),
    bias: optionalVector(weights, `${name}.bias`),
    adapter: weights.adapters?.get(name),
    transposed,
  };
}

function weightOf(weights: Weights, name: string): Tensor | readonly Tensor[] {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new Error(`transformer: the weights have no parameter "${name}"`);
  return tensor;
}

/** A vector: vectors are never in pieces. */
function vectorOf(weights: Weights, name: string): Tensor {
  return weightOf(weights, name) as Tensor;
}

function optionalVector(weights: Weights, name: string): Tensor | undefined {
  return weights.get(name) as Tensor | undefined;
}
