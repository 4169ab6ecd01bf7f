/** Counting the bytes of buffers that exist, by wrapping WebGPU's methods. */

/** A count under way. */
export interface BufferWatch {
  /** Bytes of the buffers that were created since the watch began and not destroyed. */
  bytes(): number;
  /** Restores the methods. */
  stop(): void;
}

/** Counts buffers on all devices until stopped. */
export function watchBuffers(): BufferWatch {
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  const sizes = new Map<GPUBuffer, number>();
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    sizes.set(buffer, descriptor.size);
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    sizes.delete(this);
    return destroy.call(this);
  };
  return {
    bytes: () => [...sizes.values()].reduce((sum, size) => sum + size, 0),
    stop() {
      GPUDevice.prototype.createBuffer = createBuffer;
      GPUBuffer.prototype.destroy = destroy;
    },
  };
}
