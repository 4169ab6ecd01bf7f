/** Adapters as PEFT writes them: `adapter_config.json` and the names and shapes of the tensors beside it. */
import {
  type Config,
  fail,
  optional,
  positiveInteger,
  positiveNumber,
  trueOrFalse,
} from "../files/config_values.ts";
import type { AdapterLayout } from "./layout.ts";
import { ALL_LINEAR, type LoraSettings } from "./settings.ts";

/** What stands before a layer's name in PEFT's tensor names. */
const PREFIX = "base_model.model.";

/** Keys whose other values make the adapter compute something else; each with the values that don't. */
const ONLY_SUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  use_dora: [false],
  fan_in_fan_out: [false, true], // says how the base is stored, which the base's family says already
  bias: ["none"],
  lora_bias: [false],
  modules_to_save: [null],
  trainable_token_indices: [null],
  target_parameters: [null],
  layer_replication: [null],
  use_qalora: [false],
  alora_invocation_tokens: [null],
  arrow_config: [null],
};

/** A tensor of an adapter's file and the layer that it belongs to. */
export interface AdapterTensor {
  /** Its name in the file. */
  readonly name: string;
  /** Its sizes there: A [rank, inputs], B [outputs, rank]. */
  readonly shape: readonly [number, number];
  /** The weight whose adapters it is part of. */
  readonly weight: string;
  /** The layer's place among those of the weight. */
  readonly index: number;
  /** Which matrix. */
  readonly matrix: "A" | "B";
}

/** The tensors of an adapter's file, in its order: layer by layer, A before B. */
export function adapterTensors({ weights }: AdapterLayout): AdapterTensor[] {
  return weights.flatMap(({ name: weight, layers }) =>
    layers.flatMap(({ name, shape: [outputs, inputs], rank }, index) => [
      {
        name: `${PREFIX}${name}.lora_A.weight`,
        shape: [rank, inputs] as const,
        weight,
        index,
        matrix: "A" as const,
      },
      {
        name: `${PREFIX}${name}.lora_B.weight`,
        shape: [outputs, rank] as const,
        weight,
        index,
        matrix: "B" as const,
      },
    ])
  );
}

/**
 * Reads an `adapter_config.json`.
 *
 * `lora_dropout` is not applied, as the model's own dropout isn't: log-probs are to be exact.
 *
 * @param options.name What messages call the file.
 * @throws If it is not LoRA's, a value is out of range, or a feature isn't supported; the message names the key.
 */
export function parseAdapterConfig(config: Config, { name }: { name: string }): LoraSettings {
  if (config.peft_type !== "LORA") {
    throw fail(config, "peft_type", { wanted: '"LORA", the only kind of adapter that is supported', name });
  }
  for (const [key, supported] of Object.entries(ONLY_SUPPORTED)) {
    const value = config[key] ?? supported[0];
    const isEmpty = Array.isArray(value) && value.length === 0;
    if (supported.includes(value) || (isEmpty && supported.includes(null))) continue;
    throw new Error(
      `${name}: ${key} is ${JSON.stringify(value)}, which is not supported; only ${
        JSON.stringify(supported[0])
      } is`,
    );
  }
  const exclude = parseNames(config, "exclude_modules", name);
  const layers = parseLayers(config, name);
  return {
    rank: positiveInteger(config, "r", { fallback: 8, name }),
    alpha: positiveNumber(config, "lora_alpha", { fallback: 8, name }),
    targets: parseTargets(config, name),
    rsLora: trueOrFalse(config, "use_rslora", { fallback: false, name }),
    rankPattern: parsePattern(config, "rank_pattern", name),
    alphaPattern: parsePattern(config, "alpha_pattern", name),
    ...(exclude === null ? {} : { exclude }),
    ...(layers === null ? {} : { layers }),
  };
}

/** The settings of an adapter as an `adapter_config.json`, with the keys that PEFT wants. */
export function formatAdapterConfig(
  { settings, weights }: AdapterLayout,
  { baseModel, transposed = false }: { baseModel: string; transposed?: boolean },
): Record<string, unknown> {
  const { rank, alpha, targets, exclude, layers, rsLora = false, rankPattern = {}, alphaPattern = {} } =
    settings;
  return {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: baseModel,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    target_modules: targets === ALL_LINEAR ? adaptedNames(weights) : targets,
    exclude_modules: exclude ?? null,
    layers_to_transform: layers ?? null,
    layers_pattern: null,
    rank_pattern: rankPattern,
    alpha_pattern: alphaPattern,
    use_rslora: rsLora,
    use_dora: false,
    bias: "none",
    fan_in_fan_out: transposed,
    modules_to_save: null,
    init_lora_weights: true,
  };
}

/** What `all-linear` came to: PEFT too writes the names of the layers, without their blocks. */
function adaptedNames(weights: AdapterLayout["weights"]): string[] {
  return [...new Set(weights.flatMap(({ layers }) => layers.map(({ name }) => name.split(".").at(-1)!)))];
}

function parseTargets(config: Config, name: string): readonly string[] | string {
  const targets = parseNames(config, "target_modules", name);
  if (targets !== null) return targets;
  throw fail(config, "target_modules", {
    wanted: `names of layers, a regular expression or "${ALL_LINEAR}"`,
    name,
  });
}

function parseNames(config: Config, key: string, name: string): readonly string[] | string | null {
  const value = config[key] ?? null;
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  if (value === null || typeof value === "string" || isList) {
    return value as readonly string[] | string | null;
  }
  throw fail(config, key, { wanted: "names of layers or a regular expression", name });
}

function parseLayers(config: Config, name: string): readonly number[] | null {
  const { layers_to_transform: value = null } = config;
  if (value === null) return null;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every((item) => Number.isSafeInteger(item))) {
    throw fail(config, "layers_to_transform", { wanted: "numbers of blocks", name });
  }
  return list as number[];
}

function parsePattern(config: Config, key: string, name: string): Record<string, number> {
  const { [key]: pattern = {} } = optional(config, key);
  const isPattern = typeof pattern === "object" && pattern !== null && !Array.isArray(pattern) &&
    Object.values(pattern).every((value) => typeof value === "number");
  if (!isPattern) throw fail(config, key, { wanted: "a number for each name", name });
  return pattern as Record<string, number>;
}
