/** A profile of one step of a run: the step itself is recorded, so that nothing is computed that the run doesn't need. */
import { type KernelTime, sumByKernel } from "../kernels/profile.ts";
import type { Program } from "../kernels/program.ts";
import { type OngoingRecording, type Recording, startRecording } from "../kernels/recorder.ts";
import { type TraceFile, traceOf } from "../kernels/trace.ts";
import type { Engine } from "./engine.ts";

/** Time of a kernel in one of the engine's programs. */
export interface ProgramKernelTime extends KernelTime {
  /** The program, as the engine calls it. */
  readonly program: string;
}

/** Where a step's time went. */
export interface StepProfile {
  /** The step. */
  readonly step: number;
  /** Time by program and kernel, the longest first. */
  readonly kernels: readonly ProgramKernelTime[];
  /** Milliseconds of the host by what it did, the longest first. */
  readonly host: ReadonlyMap<string, number>;
  /** From the step's beginning to the reading of its results, in milliseconds. */
  readonly duration: number;
  /** For the browser's trace viewer. */
  readonly trace: TraceFile;
}

/** Records one step of a loop that pauses before and after it. */
export interface StepProfiler {
  /** The step that is recorded. */
  readonly step: number;
  /** Whether the loop has to pause after a step. */
  pausesAfter(step: number): boolean;
  /** Starts recording if the next step is the one. */
  startAfter(step: number): void;
  /** Ends the recording if this step was the one. */
  finishAfter(step: number): Promise<StepProfile | null>;
}

/** The step of a run that is profiled, counted from where the run starts: drivers finish compiling in those before it. */
const PROFILED = 3;

/**
 * Prepares to profile a step of a run that starts after step `start`: the third from there, or the last.
 *
 * @throws If no step is left.
 */
export function createStepProfiler(
  engine: Engine,
  { start, steps }: { start: number; steps: number },
): StepProfiler {
  if (start >= steps) {
    throw new Error(`a profile needs a step to record, but all ${steps} steps of this run are done`);
  }
  const profiled = Math.min(start + PROFILED, steps);
  let recording: OngoingRecording | undefined;
  return {
    step: profiled,
    pausesAfter: (step) => step === profiled - 1 || step === profiled,
    startAfter(step) {
      if (step === profiled - 1) recording = startRecording(engine.device);
    },
    async finishAfter(step) {
      if (step !== profiled || recording === undefined) return null;
      return describe(engine, { step, recording: await recording.stop() });
    },
  };
}

function describe(engine: Engine, { step, recording }: { step: number; recording: Recording }): StepProfile {
  const names = new Map([...engine.programs].map(([name, program]) => [program, name]));
  const nameOf = (program: Program) => names.get(program) ?? "other";
  const host = new Map<string, number>();
  for (const { name, duration } of recording.host) host.set(name, (host.get(name) ?? 0) + duration);
  return {
    step,
    kernels: sumByProgram(recording, nameOf),
    host: new Map([...host].sort(([, a], [, b]) => b - a)),
    duration: recording.duration,
    trace: traceOf(recording, { nameOf, device: engine.device.description }),
  };
}

/** Sums a recording's launches by program and kernel, the longest first. */
export function sumByProgram(
  { launches }: Recording,
  nameOf: (program: Program) => string,
): ProgramKernelTime[] {
  return [...Map.groupBy(launches, ({ program }) => nameOf(program))]
    .flatMap(([program, own]) => sumByKernel(own).map((time) => ({ program, ...time })))
    .sort((a, b) => b.milliseconds - a.milliseconds);
}
