/** The models and batches that training steps are timed on; random, but the same for everybody who runs them. */
import { createRandom } from "../data/random.ts";
import type { ModelConfig } from "../models/config.ts";
import { parseModelConfig } from "../models/families/mod.ts";
import { modelTensors } from "../models/tensors.ts";
import type { TrainingExample } from "../training/records.ts";

/** A model's shape and a batch of pairs for it. */
export interface StepCase {
  /** What `--cases` calls it. */
  readonly name: string;
  /** The model. */
  readonly config: ModelConfig;
  /** Pairs in the batch. */
  readonly pairs: number;
  /** Tokens of a prompt. */
  readonly promptTokens: number;
  /** Tokens of each of the two completions that follow it. */
  readonly completionTokens: number;
  /** AdamW's rate, so small that no gradient fades to numbers that CPUs are slow with, however many steps are timed. */
  readonly learningRate: number;
}

/** DPO's beta. */
export const beta = 0.1;
/** AdamW's other constants; the gradient isn't clipped. */
export const optimizer = { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01 } as const;

const small = parseModelConfig({
  model_type: "llama",
  vocab_size: 512,
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
}, { name: "case S" });

const medium = parseModelConfig({
  model_type: "llama",
  vocab_size: 32_000,
  hidden_size: 288,
  intermediate_size: 768,
  num_hidden_layers: 6,
  num_attention_heads: 6,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
}, { name: "case M" });

const smolLm = parseModelConfig({
  model_type: "llama",
  vocab_size: 49_152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
}, { name: "case SmolLM2-135M" });

const qwen = parseModelConfig({
  model_type: "qwen2",
  vocab_size: 151_936,
  hidden_size: 896,
  intermediate_size: 4864,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  tie_word_embeddings: true,
}, { name: "case Qwen2.5-0.5B" });

const short = { promptTokens: 32, completionTokens: 96 };
const long = { promptTokens: 128, completionTokens: 384 };

/** The shapes of stories260K and stories15M (karpathy/llama2.c). */
export const smallCases: readonly StepCase[] = [
  { name: "S", config: small, pairs: 4, learningRate: 1e-6, ...short },
  { name: "M", config: medium, pairs: 1, learningRate: 1e-7, ...short },
  { name: "M4", config: medium, pairs: 4, learningRate: 1e-7, ...short },
];

/** Models that people align, for GPUs. */
export const largeCases: readonly StepCase[] = [
  { name: "SmolLM2-135M", config: smolLm, pairs: 8, learningRate: 1e-7, ...long },
  { name: "Qwen2.5-0.5B", config: qwen, pairs: 8, learningRate: 1e-7, ...long },
];

const stepCases = [...smallCases, ...largeCases];

/** The cases of these names, in their own order. */
export function casesNamed(names: readonly string[]): StepCase[] {
  for (const name of names) {
    if (stepCases.some((known) => known.name === name)) continue;
    throw new Error(
      `--cases: there is no case "${name}"; the cases are ${stepCases.map(({ name }) => name).join(", ")}`,
    );
  }
  return stepCases.filter(({ name }) => names.includes(name));
}

/** A tensor of a case's model. */
export interface CaseTensor {
  /** Its Hugging Face name. */
  readonly name: string;
  /** Its sizes. */
  readonly shape: readonly number[];
  /** Its values. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** How far the reference lies from the policy, as a share of the weights' own spread. */
const REFERENCE_SHIFT = 0.02;

/** A policy's random weights, or those of a reference near it, so that the first loss differs from log 2. */
export function caseTensors(config: ModelConfig, policy: "policy" | "reference"): CaseTensor[] {
  return modelTensors(config).map((tensor, stream) => ({
    ...tensor,
    values: caseValues(tensor, { policy, stream }),
  }));
}

/** Values of a tensor beyond these repeat: random numbers for a whole large model would take minutes. */
const DISTINCT = 2 ** 24;

/** The values of the `stream`-th of a model's tensors. */
export function caseValues(
  { name, shape }: Pick<CaseTensor, "name" | "shape">,
  { policy, stream }: { policy: "policy" | "reference"; stream: number },
): Float32Array<ArrayBuffer> {
  const isMatrix = shape.length > 1;
  const center = isMatrix || name.endsWith("bias") ? 0 : 1;
  const spread = !isMatrix ? 0.2 : name.includes("embed") ? 0.1 : 1 / Math.sqrt(shape[1]!);
  const random = createRandom(1, { stream });
  const shift = createRandom(2, { stream });
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const distinct = Math.min(values.length, DISTINCT);
  for (let i = 0; i < distinct; i++) {
    values[i] = center + (random.uniform() * 2 - 1) * spread;
    if (policy === "reference") values[i]! += (shift.uniform() * 2 - 1) * spread * REFERENCE_SHIFT;
  }
  for (let start = distinct; start < values.length; start += distinct) values.copyWithin(start, 0, distinct);
  return values;
}

/** Pairs of random tokens; `stream` picks others of the same shape. */
export function casePairs(stepCase: StepCase, { stream = 0 } = {}): TrainingExample[] {
  const { config, pairs, promptTokens, completionTokens } = stepCase;
  const random = createRandom(3, { stream });
  const tokens = (count: number) =>
    Int32Array.from({ length: count }, () => random.below(config.vocabularySize));
  return Array.from({ length: pairs }, (_, i) => ({
    line: i + 1,
    prompt: tokens(promptTokens),
    completions: [tokens(completionTokens), tokens(completionTokens)],
    label: 1,
  }));
}
