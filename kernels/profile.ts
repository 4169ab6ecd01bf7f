/** Where a program's time goes, kernel by kernel, measured with timestamp queries. */
import type { Device } from "./device.ts";
import type { Program } from "./program.ts";

/** Time of all launches of one kernel in a run. */
export interface KernelTime {
  /** The kernel's label. */
  readonly label: string;
  /** How often it was launched. */
  readonly launches: number;
  /** Their time together, in milliseconds. */
  readonly milliseconds: number;
}

/**
 * Runs every launch of a program in a pass of its own and sums the times by kernel, longest first.
 *
 * The program's inputs must have been sent by an earlier run. Passes of their own cost time too, so the sum exceeds a
 * normal run's.
 *
 * @throws If the device was requested without `timestamp-query`.
 */
export async function profile(device: Device, program: Program): Promise<KernelTime[]> {
  const { gpu } = device;
  if (!gpu.features.has("timestamp-query")) {
    throw new Error(`profile: "${device.description}" was opened without the feature timestamp-query`);
  }
  const count = program.launches.length;
  const times = new Map<string, { launches: number; milliseconds: number }>();
  // A query set holds at most 4096 timestamps, two a launch.
  for (let start = 0; start < count; start += 2048) {
    const launches = program.launches.slice(start, start + 2048);
    const stamps = await timeLaunches(gpu, launches);
    launches.forEach(({ label }, i) => {
      const entry = times.get(label) ?? { launches: 0, milliseconds: 0 };
      entry.launches++;
      entry.milliseconds += Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1e6;
      times.set(label, entry);
    });
  }
  return [...times].map(([label, time]) => ({ label, ...time })).sort((a, b) =>
    b.milliseconds - a.milliseconds
  );
}

async function timeLaunches(gpu: GPUDevice, launches: Program["launches"]): Promise<BigUint64Array> {
  const bytes = launches.length * 16;
  const querySet = gpu.createQuerySet({ type: "timestamp", count: launches.length * 2 });
  const resolved = gpu.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = gpu.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = gpu.createCommandEncoder();
  launches.forEach(({ pipeline, bindGroup, workgroups: [x, y, z] }, i) => {
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
    const pass = encoder.beginComputePass({ timestampWrites });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, y, z);
    pass.end();
  });
  encoder.resolveQuerySet(querySet, 0, launches.length * 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
  gpu.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
  for (const resource of [querySet, resolved, staging]) resource.destroy();
  return stamps;
}
