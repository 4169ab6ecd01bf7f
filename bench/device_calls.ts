/** Counting what a program asks of WebGPU, by wrapping the methods of its classes. */

/** What was counted since the last reset. */
export interface DeviceCounts {
  /** Calls by method. */
  calls: Record<string, number>;
  /** Time inside `mapAsync` before it returned its promise. */
  mapMilliseconds: number;
}

/** A count under way. */
export interface DeviceWatch {
  /** The counts so far. */
  readonly counts: Readonly<DeviceCounts>;
  /** Starts again from zero. */
  reset(): void;
  /** Restores the methods. */
  stop(): void;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

const created = [
  "createBuffer",
  "createTexture",
  "createBindGroup",
  "createShaderModule",
  "createComputePipeline",
  "createComputePipelineAsync",
];

/** Counts calls on all devices until stopped. */
export function watchDevice(): DeviceWatch {
  const counts: DeviceCounts = { calls: {}, mapMilliseconds: 0 };
  const restore: (() => void)[] = [];
  const count = (prototype: object, name: string, after?: (milliseconds: number) => void) => {
    const original: Method = Reflect.get(prototype, name);
    counts.calls[name] = 0;
    const counting: Method = function (...args) {
      counts.calls[name]!++;
      const start = performance.now();
      const result = original.apply(this, args);
      after?.(performance.now() - start);
      return result;
    };
    Reflect.set(prototype, name, counting);
    restore.push(() => Reflect.set(prototype, name, original));
  };
  for (const name of created) count(GPUDevice.prototype, name);
  count(GPUQueue.prototype, "onSubmittedWorkDone");
  count(GPUQueue.prototype, "submit");
  count(GPUBuffer.prototype, "mapAsync", (milliseconds) => counts.mapMilliseconds += milliseconds);
  return {
    counts,
    reset() {
      for (const name of Object.keys(counts.calls)) counts.calls[name] = 0;
      counts.mapMilliseconds = 0;
    },
    stop() {
      for (const undo of restore) undo();
    },
  };
}
