/** A device that allocates nothing, on which graphs are recorded to learn what they would take. */
import type { Device } from "./device.ts";

/**
 * A stand-in for `device` with the same limits and features, so that everything recorded on it is what would be recorded
 * there; its buffers have sizes and no memory. Nothing can be compiled or run on it.
 */
export function planningDevice(device: Device): Device {
  const { limits, features } = device.gpu;
  const gpu: Partial<Record<keyof GPUDevice, unknown>> = {
    limits,
    features,
    createBuffer: ({ size, label = "", usage }: GPUBufferDescriptor) => ({
      size,
      label,
      usage,
      destroy() {},
    }),
    queue: { writeBuffer() {} },
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
  };
  return {
    ...device,
    gpu: gpu as unknown as GPUDevice,
    counters: { buffers: 0, bindGroups: 0, pipelines: 0, submits: 0, readbacks: 0 },
    pipelines: new Map(),
    recorder: null,
    submission: null,
    destroy() {},
  };
}
