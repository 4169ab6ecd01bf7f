/** Qwen2, 2.5 and 3: Llama with biases on queries, keys and values, or with norms of each head. */
import type { ModelConfig } from "../config.ts";
import { type Config, trueOrFalse } from "../files/config_values.ts";
import type { Family } from "./family.ts";
import { llamaParameters, parseLlamaLike } from "./llama.ts";
import { parseWindow, requireSupported } from "./parse.ts";

const VOCABULARY = 151_936;
const SIZES = {
  vocabulary: VOCABULARY,
  intermediateSize: 22_016,
  maxPositions: 32_768,
  bos: null,
  eos: null,
};

/** Layers from `max_window_layers` on have a window, where the config switches windows on. */
function parseWindows(
  config: Config,
  { name, layers }: { name: string; layers: number },
): Pick<ModelConfig, "slidingWindow" | "windowedFrom"> {
  const uses = trueOrFalse(config, "use_sliding_window", { fallback: false, name });
  const slidingWindow = uses ? parseWindow(config, { name, fallback: 4096 }) : null;
  const { max_window_layers: from = 28 } = config;
  if (slidingWindow === null) return { slidingWindow, windowedFrom: 0 };
  if (!Number.isSafeInteger(from) || (from as number) < 0) {
    throw new Error(`${name}: max_window_layers is ${JSON.stringify(from)}; give a whole number of layers`);
  }
  return { slidingWindow, windowedFrom: Math.min(from as number, layers) };
}

/** Qwen2 and Qwen2.5. */
export const qwen2: Family = {
  architecture: "Qwen2ForCausalLM",
  parse(config, { name }) {
    requireSupported(config, { name, values: { hidden_act: ["silu"] } });
    const parsed = parseLlamaLike(config, { name, family: "qwen2", keyValueHeads: 32, ...SIZES });
    return {
      ...parsed,
      ...parseWindows(config, { name, layers: parsed.layers }),
      biases: { qkv: true, output: false, feedForward: false },
    };
  },
  parameters: llamaParameters,
  buffers: ["rotary_emb.inv_freq"],
  prefix: "model.",
};

/** Qwen3, the dense ones. */
export const qwen3: Family = {
  architecture: "Qwen3ForCausalLM",
  parse(config, { name }) {
    requireSupported(config, { name, values: { hidden_act: ["silu"] } });
    const attention = trueOrFalse(config, "attention_bias", { fallback: false, name });
    const parsed = parseLlamaLike(config, {
      name,
      family: "qwen3",
      keyValueHeads: 32,
      headSize: 128,
      ...SIZES,
    });
    return {
      ...parsed,
      ...parseWindows(config, { name, layers: parsed.layers }),
      headNorms: true,
      biases: { qkv: attention, output: attention, feedForward: false },
    };
  },
  parameters: llamaParameters,
  buffers: ["rotary_emb.inv_freq"],
  prefix: "model.",
};
