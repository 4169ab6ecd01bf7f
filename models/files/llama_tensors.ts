/**
 * The tensors of a Llama model as Hugging Face names and shapes them, and the check of a file against that list.
 *
 * @module
 */
import type { LlamaConfig } from "./llama_config.ts";

/** Name and sizes of a tensor; a linear layer's weight is [outputs, inputs]. */
export interface TensorShape {
  /** Its name in the file. */
  name: string;
  /** Its sizes, outermost first. */
  shape: number[];
}

/**
 * Every tensor of a Llama model, in the model's order; `lm_head.weight` only if it isn't the embedding.
 *
 * @example
 * ```ts
 * import { llamaTensors, parseLlamaConfig } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const json = { model_type: "llama", vocab_size: 100, hidden_size: 64, num_hidden_layers: 1 };
 * const tensors = llamaTensors(parseLlamaConfig(json, { name: "config.json" }));
 * assertEquals(tensors.length, 12);
 * assertEquals(tensors[0], { name: "model.embed_tokens.weight", shape: [100, 64] });
 * ```
 */
export function llamaTensors(config: LlamaConfig): TensorShape[] {
  const { vocabularySize: V, hiddenSize: C, intermediateSize: F, heads, keyValueHeads, headSize } = config;
  const layer = (n: number): TensorShape[] =>
    Object.entries({
      "input_layernorm.weight": [C],
      "self_attn.q_proj.weight": [heads * headSize, C],
      "self_attn.k_proj.weight": [keyValueHeads * headSize, C],
      "self_attn.v_proj.weight": [keyValueHeads * headSize, C],
      "self_attn.o_proj.weight": [C, heads * headSize],
      "post_attention_layernorm.weight": [C],
      "mlp.gate_proj.weight": [F, C],
      "mlp.up_proj.weight": [F, C],
      "mlp.down_proj.weight": [C, F],
    }).map(([name, shape]) => ({ name: `model.layers.${n}.${name}`, shape }));
  return [
    { name: "model.embed_tokens.weight", shape: [V, C] },
    ...Array.from({ length: config.layers }, (_, n) => layer(n)).flat(),
    { name: "model.norm.weight", shape: [C] },
    ...(config.tieWordEmbeddings ? [] : [{ name: "lm_head.weight", shape: [V, C] }]),
  ];
}

/**
 * Checks that a model's files hold the tensors that its config asks for, and nothing that would go unused.
 *
 * Allowed beyond those: rotary buffers (`rotary_emb.inv_freq`), which follow from the config, and an
 * `lm_head.weight` where the embedding takes its place.
 *
 * @param expected such as from {@linkcode llamaTensors}
 * @param found such as `tensors` of a model directory
 * @param options `name`: what error messages call the model
 * @throws {Error} if tensors are missing, have other sizes, or are unknown; the message names them
 */
export function checkTensors(
  expected: readonly TensorShape[],
  found: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  { name }: { name: string },
): void {
  const missing = expected.filter((tensor) => !found.has(tensor.name)).map((tensor) => tensor.name);
  if (missing.length === 1 && missing[0] === "lm_head.weight") {
    throw new Error(
      `${name}: lm_head.weight is missing; if the embedding takes its place, set tie_word_embeddings to true`,
    );
  }
  if (missing.length > 0) throw new Error(`${name}: ${listed(missing)} missing; fetch all weight files`);

  for (const { name: tensor, shape } of expected) {
    const actual = found.get(tensor)!.shape;
    if (!equal(actual, shape)) throw new Error(`${name}: ${sizeMismatch(tensor, { shape, actual })}`);
  }

  const known = new Set(expected.map((tensor) => tensor.name));
  const unknown = [...found.keys()].filter((tensor) => !known.has(tensor) && !isAllowed(tensor));
  if (unknown.length > 0) {
    throw new Error(
      `${name}: ${listed(unknown)} not part of the model that config.json describes; correct it`,
    );
  }
}

function sizeMismatch(
  tensor: string,
  { shape, actual }: { shape: readonly number[]; actual: readonly number[] },
): string {
  const isVocabulary = tensor === "model.embed_tokens.weight" || tensor === "lm_head.weight";
  if (isVocabulary && actual.length === 2 && actual[1] === shape[1]) {
    return `vocab_size is ${shape[0]} in config.json, but ${tensor} has ${actual[0]} rows; ` +
      `if the weights are right, set vocab_size to ${actual[0]}`;
  }
  return `${tensor} is [${actual.join(", ")}], but config.json makes it [${
    shape.join(", ")
  }]; correct one of them`;
}

function isAllowed(tensor: string): boolean {
  return tensor.endsWith("rotary_emb.inv_freq") || tensor === "lm_head.weight";
}

function listed(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return `${names.slice(0, 3).join(", ")}${more} ${names.length === 1 ? "is" : "are"}`;
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
