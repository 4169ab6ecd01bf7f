/** The rotary angles of a model as tables on the device. */
import { createStorage, type Device } from "../kernels/device.ts";
import { externalTensor, type Tensor } from "../kernels/tensor.ts";
import { type RopeConfig, ropeInverseFrequencies } from "./files/rope.ts";

/**
 * Cosines and sines of position × inverse frequency, computed in float64.
 *
 * @param options.positions How many positions to tabulate.
 * @returns Two tensors of [positions, headSize / 2].
 */
export function rotaryTables(
  device: Device,
  config: RopeConfig & { headSize: number },
  { positions }: { positions: number },
): { cosines: Tensor; sines: Tensor } {
  const frequencies = ropeInverseFrequencies(config);
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
