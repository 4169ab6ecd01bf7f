/** A recording in the format of browsers' trace viewers. */
import type { Program } from "./program.ts";
import type { Recording } from "./recorder.ts";

/**
 * An event of the Trace Event Format: complete ("X", with `ts` and `dur` in microseconds) or metadata ("M").
 *
 * https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
 */
export interface TraceEvent {
  /** What happened, or which metadata this is. */
  readonly name: string;
  /** Which kind of event. */
  readonly ph: "X" | "M";
  /** The group of rows that it is shown in. */
  readonly pid: number;
  /** The row. */
  readonly tid: number;
  /** When it began, in microseconds. */
  readonly ts?: number;
  /** How long it took, in microseconds. */
  readonly dur?: number;
  /** Category, for filters. */
  readonly cat?: string;
  /** What the viewer shows of it once it is selected. */
  readonly args: Readonly<Record<string, string | number>>;
}

/** A file that chrome://tracing and https://ui.perfetto.dev open. */
export interface TraceFile {
  /** All events. */
  readonly traceEvents: readonly TraceEvent[];
  /** The unit in which viewers show times. */
  readonly displayTimeUnit: "ms";
  /** What else is to be known. */
  readonly otherData: Readonly<Record<string, string>>;
}

const HOST = 1;
const GPU = 2;

/**
 * Makes a trace of a recording: a row of what the host did, and one with an event for every launch.
 *
 * @param options.nameOf What a program is called.
 * @param options.device The device's description, with which its row is labelled.
 */
export function traceOf(
  recording: Recording,
  { nameOf, device }: { nameOf: (program: Program) => string; device: string },
): TraceFile {
  const metadata = (name: string, tid: number, label: string): TraceEvent => ({
    name,
    ph: "M",
    pid: 1,
    tid,
    args: { name: label },
  });
  const event = (
    { name, start, duration, ...rest }:
      & { name: string; start: number; duration: number }
      & Pick<TraceEvent, "tid" | "cat" | "args">,
  ): TraceEvent => ({ name, ph: "X", pid: 1, ts: start * 1000, dur: duration * 1000, ...rest });
  return {
    traceEvents: [
      metadata("process_name", HOST, "@tr/align"),
      metadata("thread_name", HOST, "host"),
      metadata("thread_name", GPU, device),
      ...recording.host.map((entry) => event({ ...entry, tid: HOST, cat: "host", args: {} })),
      ...recording.launches.map(({ program, launch, start, duration }) => {
        const { label: name, workgroups, flops, bytes } = launch;
        const work = flops === null ? { bytes } : { flops, bytes };
        const args = { program: nameOf(program), workgroups: workgroups.join(" × "), ...work };
        return event({ name, start, duration, tid: GPU, cat: "kernel", args });
      }),
    ],
    displayTimeUnit: "ms",
    otherData: {
      clocks: "The device's clock is set so that its first launch begins when the host submits it.",
      passes: "Every launch runs in a pass of its own, which takes longer than a step does otherwise.",
    },
  };
}
