/** The tensors of a model's files: their names and sizes, and the check of a file against them. */
import type { ModelConfig } from "./config.ts";
import { families, modelParameters } from "./families/mod.ts";

/** Name and sizes of a tensor, as the file has them. */
export interface TensorShape {
  /** Its name in the file. */
  name: string;
  /** Its sizes, outermost first. */
  shape: readonly number[];
}

/**
 * Every tensor of a model, in the model's order; the head only if it isn't the embedding.
 *
 * @example
 * ```ts
 * import { modelTensors, parseModelConfig } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const json = { model_type: "llama", vocab_size: 100, hidden_size: 64, num_hidden_layers: 1 };
 * const tensors = modelTensors(parseModelConfig(json, { name: "config.json" }));
 * assertEquals(tensors.length, 12);
 * assertEquals(tensors[0], { name: "model.embed_tokens.weight", shape: [100, 64] });
 * ```
 */
export function modelTensors(config: ModelConfig): TensorShape[] {
  return modelParameters(config).flatMap(({ parts }) => parts.map(({ name, shape }) => ({ name, shape })));
}

/**
 * Checks that a model's files hold the tensors that its config asks for, and nothing that would go unused.
 *
 * Allowed beyond those: masks and rotary frequencies, which follow from the config, and a head where the embedding takes
 * its place.
 *
 * @param found Such as `tensors` of a model directory.
 * @param options.name What error messages call the model.
 * @throws {Error} If tensors are missing, have other sizes, or are unknown; the message names them.
 */
export function checkTensors(
  config: ModelConfig,
  found: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  { name }: { name: string },
): void {
  const { buffers } = families[config.family];
  const isBuffer = (tensor: string) => buffers.some((ending) => tensor.endsWith(ending));
  checkTensorShapes(modelTensors(config), found, { name, isBuffer });
}

/** The same for tensors that are listed; `isBuffer` tells those that may be there besides. */
export function checkTensorShapes(
  expected: readonly TensorShape[],
  found: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  { name, isBuffer }: { name: string; isBuffer: (tensor: string) => boolean },
): void {
  const missing = expected.filter((tensor) => !found.has(tensor.name)).map((tensor) => tensor.name);
  if (missing.length === 1 && HEADS.includes(missing[0]!)) {
    throw new Error(
      `${name}: ${missing[0]} is missing; if the embedding takes its place, set tie_word_embeddings to true`,
    );
  }
  if (missing.length > 0) throw new Error(`${name}: ${listed(missing)} missing; fetch all weight files`);

  for (const { name: tensor, shape } of expected) {
    const actual = found.get(tensor)!.shape;
    if (!equal(actual, shape)) throw new Error(`${name}: ${sizeMismatch(tensor, { shape, actual })}`);
  }

  const known = new Set(expected.map((tensor) => tensor.name));
  const unknown = [...found.keys()].filter((tensor) =>
    !known.has(tensor) && !isBuffer(tensor) && !HEADS.includes(tensor)
  );
  if (unknown.length > 0) {
    throw new Error(
      `${name}: ${listed(unknown)} not part of the model that config.json describes; correct it`,
    );
  }
}

/** Names of output layers, and of embeddings, in any family. */
const HEADS = ["lm_head.weight", "embed_out.weight"];
const EMBEDDINGS = ["embed_tokens.weight", "wte.weight", "embed_in.weight"];

function sizeMismatch(
  tensor: string,
  { shape, actual }: { shape: readonly number[]; actual: readonly number[] },
): string {
  const isVocabulary = [...HEADS, ...EMBEDDINGS].some((name) => tensor.endsWith(name));
  if (isVocabulary && actual.length === 2 && actual[1] === shape[1]) {
    return `vocab_size is ${shape[0]} in config.json, but ${tensor} has ${actual[0]} rows; ` +
      `if the weights are right, set vocab_size to ${actual[0]}`;
  }
  return `${tensor} is [${actual.join(", ")}], but config.json makes it [${
    shape.join(", ")
  }]; correct one of them`;
}

function listed(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return `${names.slice(0, 3).join(", ")}${more} ${names.length === 1 ? "is" : "are"}`;
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
