/** A device that keeps what it is asked to compile and bind, and computes nothing. */
import type { Device } from "../../kernels/device.ts";
import type { Kernel } from "../../kernels/graph.ts";

/** What kernels are chosen by. */
export interface CollectingOptions {
  /** Whether it passes for an adapter that computes on the CPU. */
  readonly software: boolean;
  /** Lanes in a subgroup; 0 for none of a fixed size. */
  readonly subgroupSize?: number;
  /** Text that opens modules with subgroup operations. */
  readonly subgroupPreamble?: string;
  /** Limits other than WebGPU's defaults, and bindings of 2 GiB. */
  readonly limits?: Partial<Record<keyof GPUSupportedLimits, number>>;
}

/** A buffer of {@linkcode collectingDevice}. */
type Size = Pick<GPUBuffer, "size" | "label">;

/** Something bound, as `createBindGroup` was told. */
export interface CollectedBinding {
  /** The kernel's label. */
  readonly label: string;
  /** Where in its buffer it begins, and its bytes. */
  readonly offset: number;
  readonly size: number;
  /** The buffer. */
  readonly buffer: Size;
}

/** What a device was asked for. */
export interface Collection {
  /** The device. */
  readonly device: Device;
  /** Kernels by their text and constants, each once. */
  readonly kernels: ReadonlyMap<string, Kernel>;
  /** All bindings of all bind groups. */
  readonly bindings: readonly CollectedBinding[];
}

/** WebGPU's defaults, which every device has, but for sizes of buffers: large models need the adapter's. */
const LIMITS = {
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxBufferSize: 2 ** 32,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBuffersPerShaderStage: 8,
};

/** Makes one; programs can be compiled on it but not run. */
export function collectingDevice(
  { software, subgroupSize = 0, subgroupPreamble = "", limits = {} }: CollectingOptions,
): Collection {
  const kernels = new Map<string, Kernel>();
  const bindings: CollectedBinding[] = [];
  const gpu = {
    limits: { ...LIMITS, ...limits },
    features: new Set<string>(),
    queue: { writeBuffer() {} },
    createBuffer: ({ size, label = "" }: GPUBufferDescriptor) => ({ size, label, destroy() {} }),
    createShaderModule: ({ code }: GPUShaderModuleDescriptor) => ({ code }),
    createComputePipeline({ label = "", compute: { module, constants = {} } }: GPUComputePipelineDescriptor) {
      const { code } = module as unknown as { code: string };
      kernels.set(`${code}\n${JSON.stringify(constants)}`, {
        label,
        code,
        constants: constants as Record<string, number>,
      });
      return { getBindGroupLayout: () => ({}) };
    },
    createBindGroup({ label = "", entries }: GPUBindGroupDescriptor) {
      for (const { resource } of entries) {
        const { buffer, offset = 0, size } = resource as GPUBufferBinding;
        bindings.push({ label, offset, size: size ?? buffer.size - offset, buffer });
      }
      return {};
    },
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
  };
  const device: Device = {
    gpu: gpu as unknown as GPUDevice,
    description: "collecting device",
    software,
    subgroupSize,
    subgroupPreamble,
    halfPrecision: false,
    counters: { buffers: 0, bindGroups: 0, pipelines: 0, submits: 0, readbacks: 0 },
    tuning: new Map(),
    pipelines: new Map(),
    submission: null,
    recorder: null,
    check() {},
    destroy() {},
  };
  return { device, kernels, bindings };
}
