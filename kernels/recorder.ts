/** Recording what programs do: every launch in a pass of its own, timed by the device, and what the host does meanwhile. */
import type { Device } from "./device.ts";
import type { Launch, Program } from "./program.ts";

/** A launch that was timed. Times are milliseconds since the recording began. */
export interface RecordedLaunch {
  /** The program that it belongs to. */
  readonly program: Program;
  /** What was launched. */
  readonly launch: Launch;
  /** When it began. */
  readonly start: number;
  /** How long it took. */
  readonly duration: number;
}

/** Something that the host did. Times are milliseconds since the recording began. */
export interface HostEvent {
  /** `pack`, `encode`, `submit` (on an adapter that computes on the CPU the work itself is part of it), or `wait`. */
  readonly name: string;
  /** When it began. */
  readonly start: number;
  /** How long it took. */
  readonly duration: number;
}

/** What was recorded; neither list has events that overlap. */
export interface Recording {
  /**
   * Launches in the order they ran. The device's clock is set by the first: it began when the host submitted it. A launch
   * that began while the one before it was running counts from that one's end.
   */
  readonly launches: readonly RecordedLaunch[];
  /** What the host did, in order. */
  readonly host: readonly HostEvent[];
  /** From the beginning to the end of the recording, in milliseconds. */
  readonly duration: number;
}

/** Takes part in what a device's programs do while a recording is under way. */
export interface Recorder {
  /** Encodes a program's launches, each in a timed pass of its own. */
  encode(program: Program, encoder: GPUCommandEncoder): void;
  /** Does some work of the host and notes how long it took. */
  time<T>(name: string, work: () => T): T;
  /** Waits for results and notes how long that took. */
  wait<T>(read: () => Promise<T>): Promise<T>;
}

/** A recording under way. */
export interface OngoingRecording {
  /** Waits for the device and ends the recording. */
  stop(): Promise<Recording>;
}

/** A query set holds at most 4096 timestamps, two a launch. */
const LAUNCHES_PER_SET = 2048;

/**
 * Says why a device can't be recorded.
 *
 * @throws If the device was opened without `timestamp-query`.
 */
export function checkRecordable({ gpu, description }: Device): void {
  if (gpu.features.has("timestamp-query")) return;
  throw new Error(
    `A profile is measured with timestamp queries, but "${description}" was opened without the feature ` +
      "timestamp-query; leave the profile out or choose another adapter",
  );
}

/**
 * Records all programs of a device from now on. They compute what they always do, each launch once, but slower: in passes
 * of their own, launches don't overlap, and each costs some microseconds more.
 *
 * @throws If the device was opened without `timestamp-query`, or is being recorded already.
 */
export function startRecording(device: Device): OngoingRecording {
  checkRecordable(device);
  if (device.recorder !== null) throw new Error("startRecording: this device is being recorded already");
  const origin = performance.now();
  const host: HostEvent[] = [];
  const timed: TimedLaunches[] = [];
  const note = (name: string, start: number) => {
    host.push({ name, start: start - origin, duration: performance.now() - start });
  };
  const time: Recorder["time"] = (name, work) => {
    const start = performance.now();
    try {
      return work();
    } finally {
      note(name, start);
    }
  };
  let waiting = 0, since = 0;
  const wait: Recorder["wait"] = async (read) => {
    // Results are awaited together, which is one wait.
    if (waiting++ === 0) since = performance.now();
    try {
      return await read();
    } finally {
      if (--waiting === 0) note("wait", since);
    }
  };
  device.recorder = {
    time,
    wait,
    encode(program, encoder) {
      for (let first = 0; first < program.launches.length; first += LAUNCHES_PER_SET) {
        const launches = program.launches.slice(first, first + LAUNCHES_PER_SET);
        timed.push({ program, ...encodeTimed(encoder, { gpu: device.gpu, launches }) });
      }
    },
  };
  return {
    async stop() {
      device.recorder = null;
      const duration = performance.now() - origin;
      const submitted = host.find(({ name }) => name === "submit")?.start ?? 0;
      const launches = await readLaunches(timed, { submitted });
      device.check();
      return { launches, host, duration };
    },
  };
}

/** Launches of a program that were encoded one after another, and where their times are written. */
interface TimedLaunches {
  readonly program: Program;
  readonly launches: readonly Launch[];
  readonly querySet: GPUQuerySet;
  readonly resolved: GPUBuffer;
  readonly staging: GPUBuffer;
}

function encodeTimed(
  encoder: GPUCommandEncoder,
  { gpu, launches }: { gpu: GPUDevice; launches: readonly Launch[] },
): Omit<TimedLaunches, "program"> {
  const bytes = launches.length * 16;
  const querySet = gpu.createQuerySet({ type: "timestamp", count: launches.length * 2 });
  const resolved = gpu.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = gpu.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
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
  return { launches, querySet, resolved, staging };
}

/** @param options.submitted When the host submitted the first launch: the device's clock begins elsewhere. */
async function readLaunches(
  timed: readonly TimedLaunches[],
  { submitted }: { submitted: number },
): Promise<RecordedLaunch[]> {
  const read: RecordedLaunch[] = [];
  let first: bigint | undefined;
  let end = 0;
  for (const { program, launches, querySet, resolved, staging } of timed) {
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
    for (const resource of [querySet, resolved, staging]) resource.destroy();
    first ??= stamps[0]!;
    const milliseconds = (stamp: bigint) => submitted + Number(stamp - first!) / 1e6;
    launches.forEach((launch, i) => {
      const start = Math.max(end, milliseconds(stamps[2 * i]!));
      end = Math.max(start, milliseconds(stamps[2 * i + 1]!));
      read.push({ program, launch, start, duration: end - start });
    });
  }
  return read;
}
