/** The matrix products that are measured by `tune` and by the benchmark of products. */
import type { ProductShape } from "../kernels/matmul_variants.ts";
import type { ModelConfig } from "../models/config.ts";
import { modelParameters } from "../models/families/mod.ts";

/** A product and what it is for. */
export interface NamedProduct extends ProductShape {
  /** The layer, and which of its products. */
  readonly name: string;
}

/** The three products of a linear layer over `rows` rows: forward, and the gradients of its input and of its weight. */
export function linearLayer(
  name: string,
  size: { rows: number; inputs: number; outputs: number; transposed?: boolean; packed?: boolean },
): NamedProduct[] {
  const { rows, inputs, outputs, transposed = false, packed = false } = size;
  const weight = { batch: 1, transposeA: false, packedB: packed };
  const [height, width] = transposed ? [inputs, outputs] : [outputs, inputs];
  return [
    { name: `${name} forward`, ...weight, m: rows, n: outputs, k: inputs, transposeB: !transposed },
    { name: `${name} dX`, ...weight, m: rows, n: inputs, k: outputs, transposeB: transposed },
    // A weight in bfloat16 is frozen.
    ...(packed ? [] : [{
      name: `${name} dW`,
      batch: 1,
      m: height,
      n: width,
      k: rows,
      transposeA: true,
      transposeB: false,
    }]),
  ];
}

/** Products of small models and of models that fit a GPU, for whoever names none. */
export const commonProducts: readonly NamedProduct[] = [
  ...[512, 768, 1024].map((size) => ({
    name: `${size}³`,
    batch: 1,
    m: size,
    n: size,
    k: size,
    transposeA: false,
    transposeB: false,
  })),
  ...linearLayer("head 32000", { rows: 256, inputs: 288, outputs: 32_000 }),
  ...linearLayer("gate_up of M", { rows: 224, inputs: 288, outputs: 1536 }),
  ...linearLayer("down of M", { rows: 224, inputs: 768, outputs: 288 }),
  ...linearLayer("qkv of S", { rows: 896, inputs: 64, outputs: 128 }),
  ...linearLayer("head of S", { rows: 768, inputs: 64, outputs: 512 }),
];

/**
 * The products of a model's linear layers, each shape once.
 *
 * @param options.rows Rows of a batch: the tokens of all its sequences.
 * @param options.slots Completion tokens among them, for which the head is computed.
 * @param options.packed The weights are in bfloat16.
 */
export function modelProducts(
  config: ModelConfig,
  { rows, slots, packed }: { rows: number; slots: number; packed: boolean },
): NamedProduct[] {
  const { vocabularySize, hiddenSize, transposed } = config;
  const layers = modelParameters(config)
    .filter(({ name, shape }) => name.startsWith("layers.0.") && shape.length === 2)
    .map(({ name, shape: [height, width] }) => {
      const [outputs, inputs] = transposed ? [width!, height!] : [height!, width!];
      return linearLayer(name.split(".").at(-1)!, { rows, inputs, outputs, transposed, packed });
    });
  const head = linearLayer("head", { rows: slots, inputs: hiddenSize, outputs: vocabularySize, packed });
  return [...layers.flat(), ...head];
}
