/** The rotary angles of a model as tables on the device. */
import { createStorage, type Device } from "../kernels/device.ts";
import { externalTensor, type Tensor } from "../kernels/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { ropeInverseFrequencies } from "./files/rope.ts";

/** Two tensors of [positions, rotated / 2]. */
export interface RotaryTables {
  /** Cosines of position × inverse frequency. */
  readonly cosines: Tensor;
  /** Sines of the same. */
  readonly sines: Tensor;
}

/**
 * Cosines and sines of position × inverse frequency, computed in float64; null for a model that learns its positions.
 *
 * @param options.positions How many positions to tabulate.
 */
export function rotaryTables(
  device: Device,
  config: Pick<ModelConfig, "positions" | "rotated" | "ropeTheta" | "ropeScaling">,
  { positions }: { positions: number },
): RotaryTables | null {
  if (config.positions === "learned") return null;
  const frequencies = ropeInverseFrequencies({ ...config, headSize: config.rotated });
  const shape = [positions, frequencies.length];
  const tabulate = (label: string, of: (angle: number) => number): Tensor => {
    const values = new Float32Array(positions * frequencies.length);
    values.forEach((_, i) => {
      values[i] = of(Math.floor(i / frequencies.length) * frequencies[i % frequencies.length]!);
    });
    const buffer = createStorage(device, { size: values.byteLength, label });
    device.gpu.queue.writeBuffer(buffer, 0, values);
    return externalTensor(buffer, { shape, label });
  };
  return { cosines: tabulate("rotary cosines", Math.cos), sines: tabulate("rotary sines", Math.sin) };
}
