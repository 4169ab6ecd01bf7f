/** The time of a training step: a frozen, moving or absent reference, the policy forward and backward, and AdamW. */
import { startRecording } from "../kernels/recorder.ts";
import { countTokens } from "../training/records.ts";
import { sumByProgram } from "../training/step_profile.ts";
import {
  type Benchmark,
  type BenchmarkOptions,
  type Row,
  type Table,
  timeInterleaved,
  timingColumns,
} from "./benchmark.ts";
import { watchBuffers } from "./buffer_memory.ts";
import { type CaseRun, type CaseVariant, prepareCase, SAMPLE_MILLISECONDS } from "./case_run.ts";
import { casePairs, casesNamed, largeCases, smallCases, type StepCase } from "./cases.ts";
import { openDevice } from "./environment.ts";

const variants: Readonly<Record<string, CaseVariant>> = {
  "DPO, frozen reference": { reference: "frozen", sharePrompts: true },
  "DPO, blocks checkpointed": { reference: "frozen", sharePrompts: true, checkpointing: "block" },
  "DPO, prompts not shared": { reference: "frozen", sharePrompts: false },
  "DPO, soft update every step": { reference: "moving", sharePrompts: true },
  "DPO, adapters of rank 16": {
    reference: "frozen",
    sharePrompts: true,
    lora: { settings: { rank: 16, alpha: 32, targets: "all-linear" }, snapshots: 1 },
  },
  "SimPO, no reference": { reference: "none", sharePrompts: true },
  "SFT, no reference": { reference: "none", sharePrompts: false },
};

/** Milliseconds a step, tokens a second, memory and time in JavaScript of each case in each variant. */
export const step: Benchmark = {
  description:
    "A training step with and without reference, adapters and shared prompts: time, memory, JavaScript",
  flags: ["cases", "profile"],
  cases: [...smallCases, ...largeCases].map(({ name }) => name),
  async *run(options) {
    const { software } = await peek();
    const standard = software ? smallCases : [...smallCases, ...largeCases];
    const cases = options.cases === null ? standard : casesNamed(options.cases);
    for (const stepCase of cases) yield* timeCase(stepCase, options);
  },
};

async function peek(): Promise<{ software: boolean }> {
  const device = await openDevice();
  device.destroy();
  return device;
}

async function* timeCase(stepCase: StepCase, options: BenchmarkOptions): AsyncGenerator<Table> {
  const { name, pairs, promptTokens, completionTokens } = stepCase;
  // Several variants of a large model may not fit the device together; there, nothing else runs meanwhile.
  const alone = largeCases.includes(stepCase);
  const groups = alone ? Object.keys(variants).map((variant) => [variant]) : [Object.keys(variants)];
  const rows: Row[] = [];
  let profile: Table | undefined;
  for (const group of groups) {
    const found = await timeVariants(stepCase, { ...options, group });
    rows.push(...found.rows);
    profile ??= found.profile;
  }
  yield {
    title:
      `Training step, case ${name}: ${pairs} pair${
        pairs > 1 ? "s" : ""
      }, prompts of ${promptTokens} tokens, ` +
      `completions of ${completionTokens}`,
    rows,
    notes: [
      "Steps are submitted without waiting for the one before, as a run does. tokens/s counts a prompt once, as the " +
      "metric of a run does; rows are the positions computed, padding included.",
      "allocated: the sizes of all buffers that were created. JS: packing, encoding and submitting a step, what mapAsync " +
      "blocks not counted." +
      (alone ? " Variants were timed one after another." : ""),
    ],
  };
  if (profile !== undefined) yield profile;
}

/** Prepares some variants on one device and times them in turns. */
async function timeVariants(
  stepCase: StepCase,
  { group, rounds, profile }: BenchmarkOptions & { group: readonly string[] },
): Promise<{ rows: Row[]; profile?: Table }> {
  const buffers = watchBuffers();
  const device = await openDevice();
  try {
    const runs = new Map<string, { run: CaseRun; memory: Row }>();
    for (const variant of group) {
      const before = buffers.bytes();
      const run = await prepareCase(device, stepCase, variants[variant]!);
      await run.time(1);
      const memory = {
        "planned MB": run.engine.memory.total / 1e6,
        "allocated MB": (buffers.bytes() - before) / 1e6,
      };
      runs.set(variant, { run, memory });
    }
    const candidates: { name: string; run: () => Promise<number> }[] = [];
    for (const [variant, { run }] of runs) {
      const count = Math.max(1, Math.round(SAMPLE_MILLISECONDS / await run.time(1)));
      candidates.push({ name: variant, run: () => run.time(count) });
    }
    const timings = await timeInterleaved(candidates, { rounds });
    const tokens = countTokens(casePairs(stepCase));
    const rows: Row[] = [];
    for (const [variant, { run, memory }] of runs) {
      const timing = timings.get(variant)!;
      const host = await run.timeHost(HOST_STEPS);
      rows.push({
        case: stepCase.name,
        variant,
        ...timingColumns(timing),
        "tokens/s": tokens / timing.median * 1000,
        rows: run.shape.rows,
        ...memory,
        "JS ms": host,
        "JS share": host / timing.median,
      });
    }
    const first = runs.get("DPO, frozen reference");
    return profile && first !== undefined
      ? { rows, profile: await profileStep(first.run, stepCase.name) }
      : { rows };
  } finally {
    device.destroy();
    buffers.stop();
  }
}

/** Steps over which the time in JavaScript is taken. */
const HOST_STEPS = 10;

async function profileStep({ engine, step }: CaseRun, name: string): Promise<Table> {
  const recording = startRecording(engine.device);
  await step();
  const names = new Map([...engine.programs].map(([name, program]) => [program, name]));
  const times = sumByProgram(await recording.stop(), (program) => names.get(program)!);
  const total = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return {
    title: `Kernels of a step, case ${name}`,
    rows: times.map(({ program, label, launches, milliseconds, flops, bytes }) => ({
      program,
      kernel: label,
      launches,
      milliseconds,
      share: milliseconds / total,
      "GFLOP/s": flops === null ? null : flops / milliseconds / 1e6,
      "GB/s": flops === null ? bytes / milliseconds / 1e6 : null,
    })),
    notes: ["Every launch in a pass of its own, which costs extra: the sum exceeds a step's time."],
  };
}
