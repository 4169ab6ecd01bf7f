/** Where the time of recorded programs goes, kernel by kernel. */
import type { Device } from "./device.ts";
import type { Program } from "./program.ts";
import { type RecordedLaunch, startRecording } from "./recorder.ts";

/** Time of all launches of one kernel. */
export interface KernelTime {
  /** The kernel's label. */
  readonly label: string;
  /** How often it was launched. */
  readonly launches: number;
  /** Their time together, in milliseconds. */
  readonly milliseconds: number;
  /** Their floating-point operations, where the operation counts them. */
  readonly flops: number | null;
  /** Bytes that they read and write, if each touches all that is bound to it once. */
  readonly bytes: number;
}

/** Sums launches by kernel, the longest first. */
export function sumByKernel(launches: readonly RecordedLaunch[]): KernelTime[] {
  const times = new Map<string, { -readonly [Key in keyof KernelTime]: KernelTime[Key] }>();
  for (const { launch: { label, flops, bytes }, duration } of launches) {
    const time = times.get(label) ?? { label, launches: 0, milliseconds: 0, flops: 0, bytes: 0 };
    time.launches++;
    time.milliseconds += duration;
    time.flops = time.flops === null || flops === null ? null : time.flops + flops;
    time.bytes += bytes;
    times.set(label, time);
  }
  return [...times.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

/**
 * Runs a program once and sums the times of its launches by kernel, longest first.
 *
 * Every launch runs in a pass of its own, which costs time too: the sum exceeds that of a normal run.
 *
 * @throws If the device was requested without `timestamp-query`.
 */
export async function profile(device: Device, program: Program): Promise<KernelTime[]> {
  const recording = startRecording(device);
  program.run();
  return sumByKernel((await recording.stop()).launches);
}
