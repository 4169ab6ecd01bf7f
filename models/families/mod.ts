/**
 * The families of models that there are.
 *
 * @module
 */
import type { FamilyName, ModelConfig } from "../config.ts";
import type { Config } from "../files/config_values.ts";
import type { ModelParameter } from "../parameters.ts";
import type { Family } from "./family.ts";
import { gpt2 } from "./gpt2.ts";
import { gptNeox } from "./gpt_neox.ts";
import { llama, mistral } from "./llama.ts";
import { qwen2, qwen3 } from "./qwen.ts";

/** By `model_type`. */
export const families: Readonly<Record<FamilyName, Family>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  gpt2,
  gpt_neox: gptNeox,
};

/**
 * Reads the `config.json` of a model of any family; a missing key has the default of transformers.
 *
 * What would make the model compute something else than it was trained to is refused. The exception is dropout, which
 * isn't applied, as is usual in preference training: log-probs are to be exact.
 *
 * @param config The parsed file, as transformers 4 or 5 writes it.
 * @param options.name What error messages call the file.
 * @throws {Error} If the architecture is another one, a value is out of range, or a feature isn't supported; the
 * message names the key and its value.
 *
 * @example
 * ```ts
 * import { parseModelConfig } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const json = { model_type: "llama", hidden_size: 64, num_attention_heads: 8, num_key_value_heads: 4 };
 * const config = parseModelConfig(json, { name: "config.json" });
 * assertEquals(config.headSize, 8);
 * assertEquals(config.ropeTheta, 10000);
 * ```
 */
export function parseModelConfig(config: Config, { name }: { name: string }): ModelConfig {
  const { model_type: type, architectures = null } = config;
  const family = Object.hasOwn(families, String(type)) ? families[type as FamilyName] : undefined;
  if (family === undefined) {
    throw new Error(
      `${name}: model_type is ${JSON.stringify(type)}, an architecture not supported; ${supported()}`,
    );
  }
  const known = architectures === null ||
    (Array.isArray(architectures) && architectures.includes(family.architecture));
  if (!known) {
    throw new Error(
      `${name}: architectures is ${
        JSON.stringify(architectures)
      }, not supported; of model_type ${type} only ` +
        `${family.architecture} is`,
    );
  }
  return family.parse(config, { name });
}

function supported(): string {
  const names = Object.entries(families).map(([type, { architecture }]) => `${type} (${architecture})`);
  return `the supported ones are: ${names.join(", ")}`;
}

/** The parameters of a model and the file tensors they are made of. */
export function modelParameters(config: ModelConfig): ModelParameter[] {
  return families[config.family].parameters(config);
}
