/** Random weights for a model that is trained from scratch. */
import type { ModelConfig } from "./config.ts";
import type { TensorSource } from "./files/write_directory.ts";
import { philox } from "./philox.ts";
import { modelTensors } from "./tensors.ts";

/** Standard deviation of Hugging Face's `initializer_range`. */
const DEFAULT_DEVIATION = 0.02;

/**
 * The tensors of an untrained model: norms are 1, biases 0, matrices normal around 0.
 *
 * The numbers depend on the seed, the tensor's place in the model and the element, not on the order of reading.
 *
 * @param options.deviation Standard deviation of the matrices; default 0.02.
 *
 * @example
 * ```ts
 * import { initialTensors, parseModelConfig } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const config = parseModelConfig({ model_type: "llama", vocab_size: 8, hidden_size: 64 }, { name: "config.json" });
 * const norm = initialTensors(config, { seed: 0 }).find(({ name }) => name === "model.norm.weight")!;
 * assertEquals([...await norm.read(0, 2)], [1, 1]);
 * ```
 */
export function initialTensors(
  config: ModelConfig,
  { seed, deviation = DEFAULT_DEVIATION }: { seed: number; deviation?: number },
): TensorSource[] {
  return modelTensors(config).map(({ name, shape }, index) => ({
    name,
    shape,
    read(offset: number, count: number) {
      const values = new Float32Array(count).fill(name.endsWith("bias") ? 0 : 1);
      if (shape.length > 1) {
        values.forEach((_, i) => {
          values[i] = normal({ seed, stream: index, index: offset + i }) * deviation;
        });
      }
      return Promise.resolve(values);
    },
  }));
}

/** A standard normal number that is a pure function of its place: Box–Muller over one Philox block. */
function normal({ seed, stream, index }: { seed: number; stream: number; index: number }): number {
  const [a, b] = philox([index >>> 0, Math.floor(index / 2 ** 32), stream, 0], [seed >>> 0, 0]);
  const u = (a + 1) / 2 ** 32; // in (0, 1], so that its logarithm is finite
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * b / 2 ** 32);
}
