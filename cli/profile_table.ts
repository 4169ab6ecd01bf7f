/** A step's profile as a table. */
import type { ProgramKernelTime, StepProfile } from "../training/step_profile.ts";

/** Describes where a step's time went, in lines of text. */
export function describeProfile({ step, kernels, host, duration }: StepProfile): string {
  const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const cells = [
    ["kernel", "program", "launches", "ms", "share", "rate"],
    ...kernels.map((time) => [
      time.label,
      time.program,
      String(time.launches),
      time.milliseconds.toFixed(2),
      `${(100 * time.milliseconds / total).toFixed(1)} %`,
      rateOf(time),
    ]),
    ["all", "", String(kernels.reduce((sum, { launches }) => sum + launches, 0)), total.toFixed(2), "", ""],
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  // Names on the left, numbers on the right.
  const lines = cells.map((line) =>
    line.map((cell, i) => i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ").trimEnd()
  );
  const doings = [...host].map(([name, milliseconds]) => `${name} ${milliseconds.toFixed(1)} ms`).join(", ");
  return [
    `Profile of step ${step}, every launch in a pass of its own, which makes a step longer than it is otherwise:`,
    ...lines,
    `Of the ${duration.toFixed(1)} ms of the step the host took: ${doings}.`,
  ].join("\n");
}

/** What a kernel reached: operations a second where they are counted, else bytes a second. */
function rateOf({ flops, bytes, milliseconds }: ProgramKernelTime): string {
  if (milliseconds === 0) return "";
  const [amount, unit] = flops === null ? [bytes, "GB/s"] : [flops, "GFLOP/s"];
  return `${Number((amount / milliseconds / 1e6).toPrecision(3))} ${unit}`;
}
