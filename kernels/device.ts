/// <reference types="@webgpu/types" />
/** A WebGPU device with what the kernels need to know about it: limits, subgroups, cached pipelines, counters. */
import type { MatmulTuning } from "./matmul_choice.ts";
import type { Recorder } from "./recorder.ts";
import type { Submission } from "./submission.ts";

/** How often the device was asked for something costly. In the steady state of a program none of these grows but `submits`. */
export interface DeviceCounters {
  /** Buffers created. */
  buffers: number;
  /** Bind groups created. */
  bindGroups: number;
  /** Compute pipelines compiled. */
  pipelines: number;
  /** Command buffers submitted. */
  submits: number;
  /** Times the host asked to be told when the GPU is done or a buffer is mapped. */
  readbacks: number;
}

/** A `GPUDevice` given to the library, and what was found out about it. */
export interface Device {
  /** The device itself. */
  readonly gpu: GPUDevice;
  /** What the adapter calls itself, for messages and benchmark records. */
  readonly description: string;
  /** Whether the adapter computes on the CPU (lavapipe, SwiftShader); kernels are chosen differently there. */
  readonly software: boolean;
  /** Lanes in a subgroup, or 0 where subgroup operations can't be used or their size isn't fixed. */
  readonly subgroupSize: number;
  /** Whether kernels may use the `f16` type. */
  readonly halfPrecision: boolean;
  /** Text that must open a WGSL module that uses subgroup operations. */
  readonly subgroupPreamble: string;
  /** What was created and waited for so far. */
  readonly counters: DeviceCounters;
  /** Which kernels were measured to be the fastest, where somebody has measured; filled in by whoever opens the device. */
  readonly tuning: MatmulTuning;
  /** Compiled pipelines by source and constants. */
  readonly pipelines: Map<string, GPUComputePipeline>;
  /** What is being put together by `submitTogether`; null outside of it. */
  submission: Submission | null;
  /** What runs the programs while they are recorded, see `startRecording`; null otherwise. */
  recorder: Recorder | null;
  /** Throws if the device is lost, or the first error that it reported since the last call, with what to do about it. */
  check(): void;
  /** Frees everything on the device. */
  destroy(): void;
}

const optionalFeatures = ["shader-f16", "subgroups", "timestamp-query"] as const;

/**
 * Asks an adapter for a device with all the adapter's limits and the optional features that turn out to work.
 *
 * Features are detected by trying, because some implementations support `subgroups` without listing it.
 *
 * @param adapter What `navigator.gpu.requestAdapter()` returned.
 * @throws If the adapter gives no device.
 *
 * @example
 * ```ts ignore
 * const adapter = await navigator.gpu.requestAdapter();
 * const device = await requestDevice(adapter!);
 * ```
 */
export async function requestDevice(adapter: GPUAdapter): Promise<Device> {
  const { limits } = adapter;
  const requiredLimits = {
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxBufferSize: limits.maxBufferSize,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
  };
  // One by one, since a failed request consumes nothing but a successful one may consume the adapter.
  let features = optionalFeatures.filter((name) => name === "subgroups" || adapter.features.has(name));
  for (;;) {
    try {
      const gpu = await adapter.requestDevice({
        requiredFeatures: features as GPUFeatureName[],
        requiredLimits,
      });
      return await createDevice(gpu, { info: adapter.info });
    } catch (error) {
      if (!features.includes("subgroups")) {
        throw new Error(`Cannot open the WebGPU device "${describe(adapter.info)}": ${messageOf(error)}`);
      }
      features = features.filter((name) => name !== "subgroups");
    }
  }
}

/**
 * Wraps a device that the caller already has (a browser's, Deno's or another implementation's).
 *
 * @param gpu The device. Request the adapter's limits when creating it: the defaults are small.
 * @param options.info The adapter's `info`, from which software adapters and the subgroup size are recognized.
 */
export async function createDevice(gpu: GPUDevice, options: { info?: GPUAdapterInfo } = {}): Promise<Device> {
  const info = options.info ?? gpu.adapterInfo;
  const description = describe(info);
  let failure: Error | null = null;
  let lost: Error | null = null;
  let destroyed = false;
  gpu.addEventListener("uncapturederror", (event) => {
    failure ??= new Error(`WebGPU reported: ${(event as GPUUncapturedErrorEvent).error.message}`);
  });
  gpu.lost.then(({ message }) => {
    if (destroyed) return; // `reason` can't tell: versions of Deno give one and the same for every loss
    lost = new Error(
      `The GPU device "${description}" was lost (${message || "no reason given"}). Its memory is gone: ` +
        "start again from the last checkpoint (--resume); if it happens again, use a smaller batch.",
    );
  });
  const software = info.isFallbackAdapter === true || /llvmpipe|lavapipe|swiftshader/i.test(description);
  const subgroupPreamble = gpu.features.has("subgroups" as GPUFeatureName)
    ? await findSubgroupPreamble(gpu)
    : undefined;
  const fixedSize = info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMinSize ?? 0 : 0;
  return {
    gpu,
    description,
    software,
    subgroupSize: subgroupPreamble === undefined ? 0 : fixedSize,
    subgroupPreamble: subgroupPreamble ?? "",
    halfPrecision: gpu.features.has("shader-f16"),
    counters: { buffers: 0, bindGroups: 0, pipelines: 0, submits: 0, readbacks: 0 },
    tuning: new Map(),
    pipelines: new Map(),
    submission: null,
    recorder: null,
    check() {
      if (lost !== null) throw lost;
      if (failure === null) return;
      const error = failure;
      failure = null;
      throw error;
    },
    destroy() {
      destroyed = true;
      gpu.destroy();
    },
  };
}

/** Chrome wants `enable subgroups;` where Deno rejects it; undefined where neither compiles. */
async function findSubgroupPreamble(gpu: GPUDevice): Promise<string | undefined> {
  for (const preamble of ["", "enable subgroups;\n"]) {
    gpu.pushErrorScope("validation");
    gpu.createShaderModule({
      code: `${preamble}@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(32) fn main(@builtin(local_invocation_index) i: u32) { x[i] = subgroupShuffle(x[i], 0u); }`,
    });
    if (await gpu.popErrorScope() === null) return preamble;
  }
  return undefined;
}

/**
 * Creates a storage buffer, counting it and turning a refusal by the device into an error that says how much was asked for.
 *
 * @param options.size Bytes; rounded up to a multiple of 16.
 * @param options.label What the buffer is for, for error messages.
 * @throws If the size exceeds what one binding of this device may hold.
 */
export function createStorage(device: Device, options: { size: number; label: string }): GPUBuffer {
  const size = Math.max(16, Math.ceil(options.size / 16) * 16);
  const limit = maximumBindingBytes(device);
  if (size > limit) {
    throw new RangeError(
      `${options.label} needs ${size} bytes in one buffer, more than the ${limit} bytes that one binding of ` +
        `"${device.description}" may hold. Use a smaller batch or maximum length.`,
    );
  }
  device.counters.buffers++;
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  return device.gpu.createBuffer({ size, label: options.label, usage: STORAGE | COPY_SRC | COPY_DST });
}

/** The most bytes that one tensor may have on this device. */
export function maximumBindingBytes(device: Device): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.gpu.limits;
  // A binding of 2^31 bytes or more is refused by some drivers whatever the limit says.
  return Math.min(maxStorageBufferBindingSize, maxBufferSize, 2 ** 31 - 16);
}

/**
 * Runs `allocate` and reports a lack of GPU memory as an error in bytes instead of a later failure.
 *
 * @param options.bytes How much `allocate` is going to take.
 * @param options.what What it is for.
 * @param options.advice What to do about a lack.
 */
export async function withMemoryCheck<T>(
  device: Device,
  options: { bytes: number; what: string; advice?: string; allocate: () => T },
): Promise<T> {
  device.gpu.pushErrorScope("out-of-memory");
  const result = options.allocate();
  const error = await device.gpu.popErrorScope();
  if (error !== null) {
    throw new Error(
      `"${device.description}" is out of memory: ${options.what} needs ${options.bytes} bytes. ` +
        (options.advice ?? "Use a smaller batch_size or max_length."),
    );
  }
  return result;
}

function describe(info: GPUAdapterInfo): string {
  return info.description || [info.vendor, info.architecture].filter(Boolean).join(" ") || "unknown adapter";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
