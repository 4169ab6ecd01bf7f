/** What a model is: the hyperparameters of every family, under common names. */
import type { RopeScaling } from "./files/rope.ts";

/** Families of models, by their `model_type`. */
export type FamilyName = "llama" | "mistral" | "qwen2" | "qwen3" | "gpt2" | "gpt_neox";

/** Hyperparameters of a model. */
export interface ModelConfig {
  /** Which family's `config.json` and tensor names it has. */
  readonly family: FamilyName;
  /** Number of token ids, rows of the embedding. */
  readonly vocabularySize: number;
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  /** Width of the feed-forward layer. */
  readonly intermediateSize: number;
  /** Number of transformer blocks. */
  readonly layers: number;
  /** Number of query heads. */
  readonly heads: number;
  /** Number of key and value heads, a divisor of `heads`. */
  readonly keyValueHeads: number;
  /** Width of one head; `heads * headSize` need not be `hiddenSize`. */
  readonly headSize: number;
  /** Longest sequence, in tokens, that the model is made for. */
  readonly maxPositions: number;
  /** What normalizes the residual stream: RMSNorm, or LayerNorm with bias. */
  readonly norm: "rms" | "layer";
  /** Added to what the norm takes the root of. */
  readonly normEpsilon: number;
  /** Whether queries and keys of each head are normalized (RMSNorm) before they are rotated. */
  readonly headNorms: boolean;
  /** What stands between the matrices of the feed-forward layer. */
  readonly activation: "swiglu" | "gelu" | "gelu_tanh";
  /** Which linear layers of a block have a bias. */
  readonly biases: { readonly qkv: boolean; readonly output: boolean; readonly feedForward: boolean };
  /** Whether attention and feed-forward layer read the same residual stream, x + attention(x) + mlp(x). */
  readonly parallelResidual: boolean;
  /** How rows know where they are: rotated queries and keys, or a learned embedding that is added. */
  readonly positions: "rotary" | "learned";
  /** Channels of a head that are rotated, from the first; 0 where positions are learned. */
  readonly rotated: number;
  /** Base of the rotary embedding's frequencies. */
  readonly ropeTheta: number;
  /** How these frequencies are stretched to longer contexts, if they are. */
  readonly ropeScaling: RopeScaling | null;
  /** Positions, itself included, that a row sees in layers with a window; null if there are none. */
  readonly slidingWindow: number | null;
  /** The first layer with a window. */
  readonly windowedFrom: number;
  /** Whether linear layers are stored [inputs, outputs]. */
  readonly transposed: boolean;
  /** Whether the embedding is the output layer too. */
  readonly tieWordEmbeddings: boolean;
  /** Id of the token that begins a text. */
  readonly bosTokenId: number | null;
  /** Ids of the tokens that end one. */
  readonly eosTokenIds: readonly number[];
}
