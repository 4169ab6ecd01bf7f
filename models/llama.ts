/** Llama as a pure function over tensors: packed token rows in, hidden states or log-probabilities out. */
import type { Adapter } from "../kernels/adapter.ts";
import { attention } from "../kernels/attention.ts";
import { lookUp, type RowLists } from "../kernels/embedding.ts";
import type { Graph } from "../kernels/graph.ts";
import { linear, type LinearWeights } from "../kernels/linear.ts";
import type { ParameterSpec } from "../kernels/parameters.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rotary } from "../kernels/rotary.ts";
import { swiglu } from "../kernels/swiglu.ts";
import type { Tensor } from "../kernels/tensor.ts";
import type { LlamaConfig } from "./files/llama_config.ts";

/**
 * A parameter as the kernels want it, and the tensors of a Hugging Face file that it consists of: projections that read
 * the same input are one matrix, their rows one below the other.
 */
export interface FusedParameter extends ParameterSpec {
  /** What it is for: a table of rows to look up, a matrix to multiply with, or one number a channel. */
  readonly kind: "embedding" | "linear" | "vector";
  /** The file's tensors, in the order of their rows. */
  readonly parts: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** The parameters of a Llama model and the file tensors they are made of. */
export function llamaParameters(config: LlamaConfig): FusedParameter[] {
  const { hiddenSize: C, intermediateSize: F, heads, keyValueHeads, headSize, vocabularySize } = config;
  const fuse = (name: string, parts: FusedParameter["parts"]): FusedParameter => {
    const [first] = parts;
    const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
    const kind = first!.shape.length === 1 ? "vector" : "linear";
    return { name, kind, shape: [rows, ...first!.shape.slice(1)], parts };
  };
  const single = (name: string, tensor: string, shape: number[]) => fuse(name, [{ name: tensor, shape }]);
  const layer = (n: number): FusedParameter[] => {
    const file = (name: string) => `model.layers.${n}.${name}.weight`;
    return [
      single(`layers.${n}.input_norm`, file("input_layernorm"), [C]),
      fuse(`layers.${n}.qkv`, [
        { name: file("self_attn.q_proj"), shape: [heads * headSize, C] },
        { name: file("self_attn.k_proj"), shape: [keyValueHeads * headSize, C] },
        { name: file("self_attn.v_proj"), shape: [keyValueHeads * headSize, C] },
      ]),
      single(`layers.${n}.output`, file("self_attn.o_proj"), [C, heads * headSize]),
      single(`layers.${n}.feed_forward_norm`, file("post_attention_layernorm"), [C]),
      fuse(`layers.${n}.gate_up`, [
        { name: file("mlp.gate_proj"), shape: [F, C] },
        { name: file("mlp.up_proj"), shape: [F, C] },
      ]),
      single(`layers.${n}.down`, file("mlp.down_proj"), [C, F]),
    ];
  };
  return [
    { ...single("embedding", "model.embed_tokens.weight", [vocabularySize, C]), kind: "embedding" },
    ...Array.from({ length: config.layers }, (_, n) => layer(n)).flat(),
    single("norm", "model.norm.weight", [C]),
    ...(config.tieWordEmbeddings ? [] : [single("head", "lm_head.weight", [vocabularySize, C])]),
  ];
}

/** The weights of a model by parameter name, and the adapters of some of them; a map of tensors will do. */
export interface Weights {
  /** The parameter of that name. */
  get(name: string): Tensor | undefined;
  /** By the name of the weight that they belong to. */
  readonly adapters?: ReadonlyMap<string, Adapter>;
}

/** What the model reads besides its weights. */
export interface LlamaInputs {
  /** u32 [rows], token ids. */
  readonly tokens: Tensor;
  /** u32 [rows], position of each row in its sequence. */
  readonly positions: Tensor;
  /** [positions, headSize / 2], cosines of the rotary angles. */
  readonly cosines: Tensor;
  /** [positions, headSize / 2], sines of the rotary angles. */
  readonly sines: Tensor;
  /** Rows of each distinct token; needed only in training. */
  readonly tokenLists?: RowLists;
}

/** How a layer attends: takes the rotated queries, keys and values of all rows, returns the attended values. */
export type Attend = (qkv: Tensor, layer: number) => Tensor;

/** Attention within the packed sequences of a batch; see {@linkcode attention} for `spans`. */
export function attendWithin(graph: Graph, config: LlamaConfig, { spans }: { spans: Tensor }): Attend {
  const { heads, keyValueHeads, headSize } = config;
  return (qkv) => attention(graph, qkv, { spans, heads, keyValueHeads, headSize });
}

/**
 * The residual stream after the last block, before the final norm.
 *
 * @param weights Parameters as {@linkcode llamaParameters} names them.
 * @param options.attend How rows see each other: {@linkcode attendWithin} or a cache.
 * @returns [rows, hiddenSize].
 */
export function llama(
  graph: Graph,
  weights: Weights,
  options: { config: LlamaConfig; inputs: LlamaInputs; attend: Attend },
): Tensor {
  const { config, inputs, attend } = options;
  const { heads, keyValueHeads, headSize, rmsNormEpsilon: epsilon } = config;
  const { positions, cosines, sines } = inputs;
  const weight = (name: string) => weightOf(weights, name);
  const layer = (name: string): LinearWeights => ({
    weight: weightOf(weights, name),
    adapter: weights.adapters?.get(name),
  });

  let x = lookUp(graph, weight("embedding"), {
    indices: inputs.tokens,
    ...(inputs.tokenLists ? { lists: inputs.tokenLists } : {}),
  }); // [rows, C]
  for (let n = 0; n < config.layers; n++) {
    const normed = rmsNorm(graph, x, { weight: weight(`layers.${n}.input_norm`), epsilon });
    const qkv = linear(graph, normed, layer(`layers.${n}.qkv`)); // [rows, (H + 2 Hk) D]
    const rotated = rotary(graph, qkv, { positions, cosines, sines, heads: heads + keyValueHeads, headSize });
    const attended = attend(rotated, n); // [rows, H D]
    x = linear(graph, attended, { ...layer(`layers.${n}.output`), residual: x });

    const fed = rmsNorm(graph, x, { weight: weight(`layers.${n}.feed_forward_norm`), epsilon });
    const gateUp = linear(graph, fed, layer(`layers.${n}.gate_up`)); // [rows, 2 F]
    x = linear(graph, swiglu(graph, gateUp), { ...layer(`layers.${n}.down`), residual: x });
  }
  return x;
}

/** The final norm, applied to the rows that predict something. */
export function llamaFinalNorm(
  graph: Graph,
  x: Tensor,
  options: { config: LlamaConfig; weights: Weights },
): Tensor {
  const { config, weights } = options;
  return rmsNorm(graph, x, { weight: weightOf(weights, "norm"), epsilon: config.rmsNormEpsilon });
}

/** The layer that turns hidden states into logits: [vocabularySize, hiddenSize]. */
export function llamaHead(config: LlamaConfig, weights: Weights): LinearWeights {
  const name = config.tieWordEmbeddings ? "embedding" : "head";
  return { weight: weightOf(weights, name), adapter: weights.adapters?.get(name) };
}

function weightOf(weights: Weights, name: string): Tensor {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new Error(`llama: the weights have no parameter "${name}"`);
  return tensor;
}
