/**
 * Rotary position embeddings as a `config.json` describes them, and their frequencies.
 *
 * @module
 */
import { type Config, fail, positiveInteger, positiveNumber } from "./config_values.ts";

/** How rotary frequencies are stretched so that a model reads longer texts than it was first trained on. */
export type RopeScaling =
  | {
    /** Position interpolation (arXiv 2306.15595): all frequencies divided by `factor`. */
    type: "linear";
    /** How many times longer the context becomes. */
    factor: number;
  }
  | {
    /** Llama 3.1: low frequencies divided by `factor`, high ones kept, those between interpolated. */
    type: "llama3";
    /** How many times longer the context becomes. */
    factor: number;
    /** Frequencies with fewer turns than this in the original context are divided. */
    lowFrequencyFactor: number;
    /** Frequencies with more turns than this in the original context are kept. */
    highFrequencyFactor: number;
    /** The original context, in tokens. */
    originalMaxPositions: number;
  };

/** Rotary settings of a model. */
export interface RopeConfig {
  /** Base of the frequencies. */
  ropeTheta: number;
  /** How they are stretched, if they are. */
  ropeScaling: RopeScaling | null;
}

const KNOWN_KEYS = [
  "rope_type",
  "type",
  "rope_theta",
  "factor",
  "partial_rotary_factor",
  "low_freq_factor",
  "high_freq_factor",
  "original_max_position_embeddings",
];

/**
 * Reads the rotary settings of a `config.json`: `rope_theta` and `rope_scaling` as transformers 4 writes them, or
 * `rope_parameters` as transformers 5 does.
 *
 * @throws {Error} if they contradict each other, are incomplete, or ask for something that isn't supported
 */
export function parseRope(config: Config, { name }: { name: string }): RopeConfig {
  const { rope_scaling: scaling = null, rope_parameters: parameters = null } = config;
  if (scaling !== null && parameters !== null) {
    throw new Error(`${name}: rope_scaling and rope_parameters are both given; keep one`);
  }
  const key = parameters === null ? "rope_scaling" : "rope_parameters";
  const rope = scaling ?? parameters ?? {};
  if (!isConfig(rope)) throw fail(config, key, { wanted: "an object or null", name });
  const label = `${name}: ${key}`;

  const unknown = Object.keys(rope).find((setting) => !KNOWN_KEYS.includes(setting));
  if (unknown !== undefined) {
    throw new Error(`${label}: ${unknown} is ${JSON.stringify(rope[unknown])}, which is not supported`);
  }
  if ((rope.partial_rotary_factor ?? 1) !== 1) {
    throw new Error(`${label}: partial_rotary_factor is ${rope.partial_rotary_factor}; only 1 is supported`);
  }
  const outer = config.rope_theta, inner = rope.rope_theta;
  if (outer !== undefined && inner !== undefined && outer !== inner) {
    throw new Error(`${label}: its rope_theta ${inner} and rope_theta ${outer} outside differ; keep one`);
  }
  return {
    ropeTheta: positiveNumber({ rope_theta: inner ?? outer }, "rope_theta", { fallback: 10000, name }),
    ropeScaling: parseScaling(rope, label),
  };
}

/**
 * The angle, in radians a position, by which each pair of channels of a head turns.
 *
 * Formulas: RoFormer (arXiv 2104.09864) eq. 15; `linear` and `llama3` as in `modeling_rope_utils.py` of
 * transformers. Channel `i` is paired with channel `i + headSize / 2`.
 *
 * @returns `headSize / 2` frequencies, highest first
 *
 * @example
 * ```ts
 * import { ropeInverseFrequencies } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const frequencies = ropeInverseFrequencies({ headSize: 4, ropeTheta: 10000, ropeScaling: null });
 * assertEquals([...frequencies], [1, 0.01]);
 * ```
 */
export function ropeInverseFrequencies(
  { headSize, ropeTheta, ropeScaling }: RopeConfig & { headSize: number },
): Float64Array<ArrayBuffer> {
  const frequencies = new Float64Array(headSize / 2);
  for (let i = 0; i < frequencies.length; i++) {
    const frequency = ropeTheta ** (-2 * i / headSize);
    frequencies[i] = ropeScaling === null ? frequency : scale(frequency, ropeScaling);
  }
  return frequencies;
}

function scale(frequency: number, scaling: RopeScaling): number {
  const divided = frequency / scaling.factor;
  if (scaling.type === "linear") return divided;
  const { lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling;
  const turns = originalMaxPositions * frequency / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return (1 - kept) * divided + kept * frequency;
}

function parseScaling(rope: Config, label: string): RopeScaling | null {
  const type = rope.rope_type ?? rope.type ?? "default";
  const number = (key: string) => positiveNumber(rope, key, { name: label });
  switch (type) {
    case "default":
      return null;
    case "linear":
      return { type: "linear", factor: number("factor") };
    case "llama3": {
      const lowFrequencyFactor = number("low_freq_factor");
      const highFrequencyFactor = number("high_freq_factor");
      if (highFrequencyFactor <= lowFrequencyFactor) {
        throw new Error(
          `${label}: high_freq_factor ${highFrequencyFactor} must be above low_freq_factor ${lowFrequencyFactor}`,
        );
      }
      return {
        type: "llama3",
        factor: number("factor"),
        lowFrequencyFactor,
        highFrequencyFactor,
        originalMaxPositions: positiveInteger(rope, "original_max_position_embeddings", { name: label }),
      };
    }
    default:
      throw new Error(
        `${label}: rope_type is ${JSON.stringify(type)}; only default, linear and llama3 are supported`,
      );
  }
}

function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
