/** The time of a training step: a frozen, moving or absent reference, the policy forward and backward, and AdamW. */
import { profile } from "../kernels/profile.ts";
import { countTokens } from "../training/records.ts";
import {
  type Benchmark,
  type BenchmarkOptions,
  type Table,
  timeInterleaved,
  timingColumns,
} from "./benchmark.ts";
import { type CaseRun, type CaseVariant, prepareCase, SAMPLE_MILLISECONDS } from "./case_run.ts";
import { casePairs, casesNamed, type StepCase } from "./cases.ts";
import { openDevice } from "./environment.ts";

const variants: Readonly<Record<string, CaseVariant>> = {
  "DPO, frozen reference": { reference: "frozen", sharePrompts: true },
  "DPO, blocks checkpointed": { reference: "frozen", sharePrompts: true, checkpointing: "block" },
  "DPO, prompts not shared": { reference: "frozen", sharePrompts: false },
  "DPO, soft update every step": { reference: "moving", sharePrompts: true },
  "SimPO, no reference": { reference: "none", sharePrompts: true },
  "SFT, no reference": { reference: "none", sharePrompts: false },
};

/** Milliseconds a step, tokens a second and memory of each case in each variant. */
export const step: Benchmark = {
  description: "A training step, in milliseconds",
  flags: ["cases", "profile"],
  async *run(options) {
    for (const stepCase of casesNamed(options.cases ?? ["S", "M", "M4"])) yield* timeCase(stepCase, options);
  },
};

async function* timeCase(stepCase: StepCase, { rounds, profile }: BenchmarkOptions): AsyncGenerator<Table> {
  const { name, pairs } = stepCase;
  const device = await openDevice();
  try {
    const runs = new Map<string, CaseRun>();
    for (const [variant, settings] of Object.entries(variants)) {
      runs.set(variant, await prepareCase(device, stepCase, settings));
    }
    const candidates: { name: string; run: () => Promise<number> }[] = [];
    for (const [variant, run] of runs) {
      await run.time(1);
      const count = Math.max(1, Math.round(SAMPLE_MILLISECONDS / await run.time(1)));
      candidates.push({ name: variant, run: () => run.time(count) });
    }
    const timings = await timeInterleaved(candidates, { rounds });
    const tokens = countTokens(casePairs(stepCase));
    const rows = [...timings].map(([variant, timing]) => {
      const { engine, shape } = runs.get(variant)!;
      return {
        case: name,
        variant,
        ...timingColumns(timing),
        "tokens/s": tokens / timing.median * 1000,
        rows: shape.rows,
        "planned MB": engine.memory.total / 1e6,
      };
    });
    yield {
      title: `Training step, case ${name}: ${pairs} pair${pairs > 1 ? "s" : ""}`,
      rows,
      notes: [
        "Steps are submitted without waiting for the one before, as a run does. tokens/s counts a prompt once, as the " +
        "metric of a run does; rows are the positions computed, padding included.",
      ],
    };
    if (profile) yield await profileStep(runs.get("DPO, frozen reference")!, name);
  } finally {
    device.destroy();
  }
}

async function profileStep({ engine }: CaseRun, name: string): Promise<Table> {
  const rows = [];
  for (const [program, compiled] of engine.programs) {
    if (!program.startsWith("train") && program !== "update") continue;
    for (const { label, launches, milliseconds } of await profile(engine.device, compiled)) {
      rows.push({ program, kernel: label, launches, milliseconds });
    }
  }
  const total = rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return {
    title: `Kernels of a step, case ${name}`,
    rows: rows.toSorted((a, b) => b.milliseconds - a.milliseconds)
      .map((row) => ({ ...row, share: row.milliseconds / total })),
    notes: ["Every launch in a pass of its own, which costs extra: the sum exceeds a step's time."],
  };
}
