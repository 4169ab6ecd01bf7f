/** All weights against adapters, and a frozen reference against one that moves: time and memory of a step. */
import { snapshotsNeeded } from "../reference/snapshots.ts";
import { type Benchmark, type BenchmarkOptions, type Table, timeInterleaved } from "./benchmark.ts";
import { type CaseRun, type CaseVariant, prepareCase, SAMPLE_MILLISECONDS } from "./case_run.ts";
import { casesNamed, smallCases, type StepCase } from "./cases.ts";
import { openDevice } from "./environment.ts";

const settings = { rank: 16, alpha: 32, targets: "all-linear" } as const;
/** α of the paper's soft updates. */
const softAlpha = 0.6;
/** Updates after which a stack of soft snapshots is full. */
const manyUpdates = 64;

const references: Readonly<Record<string, Pick<CaseVariant, "reference" | "alpha"> & { snapshots: number }>> =
  {
    frozen: { reference: "frozen", snapshots: 1 },
    hard: { reference: "moving", alpha: 1, snapshots: 1 },
    soft: {
      reference: "moving",
      alpha: softAlpha,
      snapshots: snapshotsNeeded(Array(manyUpdates).fill(softAlpha)),
    },
  };

/** Milliseconds, planned bytes and the share of a reference update, of each case in each variant. */
export const lora: Benchmark = {
  description: "A training step with all weights or adapters, against a frozen, hard or soft reference",
  flags: ["cases"],
  cases: smallCases.map(({ name }) => name),
  async *run(options) {
    for (const stepCase of casesNamed(options.cases ?? ["S", "M"])) yield await timeCase(stepCase, options);
  },
};

async function timeCase(stepCase: StepCase, { rounds }: BenchmarkOptions): Promise<Table> {
  const device = await openDevice();
  try {
    const runs = new Map<string, CaseRun>();
    for (const trained of ["all weights", "adapters"]) {
      for (const [name, { snapshots, ...reference }] of Object.entries(references)) {
        const variant: CaseVariant = {
          ...reference,
          sharePrompts: true,
          ...(trained === "adapters" ? { lora: { settings, snapshots } } : {}),
        };
        runs.set(`${trained}, ${name}`, await prepareCase(device, stepCase, variant));
      }
    }
    const candidates: { name: string; run: () => Promise<number> }[] = [];
    for (const [name, run] of runs) {
      // A soft reference costs most once all its snapshots are there.
      const { reference, alpha = 1 } = references[name.split(", ")[1]!]!;
      if (reference === "moving") {
        for (let i = 0; i < manyUpdates; i++) await run.engine.moveReference(alpha).read();
      }
      const count = Math.max(1, Math.round(SAMPLE_MILLISECONDS / await run.time(1, { move: false })));
      candidates.push({ name, run: () => run.time(count, { move: false }) });
      if (reference === "moving") {
        candidates.push({ name: `${name}: update`, run: () => timeUpdates(run, alpha) });
      }
    }
    const timings = await timeInterleaved(candidates, { rounds });
    const rows = [...runs].map(([name, { engine }]) => {
      const { median } = timings.get(name)!;
      const update = timings.get(`${name}: update`)?.median;
      const { sets, temporaries, total } = engine.memory;
      return {
        case: stepCase.name,
        variant: name,
        "ms a step": median,
        ...(update === undefined
          ? { "ms an update": "", share: "" }
          : { "ms an update": update, share: update / median }),
        "sets MB": Object.values(sets).reduce((sum, bytes) => sum + bytes, 0) / 1e6,
        "reference MB": (sets.reference ?? 0) / 1e6,
        "activations MB": temporaries / 1e6,
        "planned MB": total / 1e6,
      };
    });
    return {
      title: `Adapters of rank ${settings.rank} on every linear layer, case ${stepCase.name}`,
      rows,
      notes: [
        "A step measures the policy, the reference and the KL between them. Soft updates take α 0.6 and " +
        `${
          references.soft!.snapshots
        } snapshots, all of them there. Share is an update's time over a step's.`,
      ],
    };
  } finally {
    device.destroy();
  }
}

/** Updates submitted before the first is waited for. */
const UPDATES = 20;

async function timeUpdates({ engine }: CaseRun, alpha: number): Promise<number> {
  const start = performance.now();
  for (let i = 1; i < UPDATES; i++) engine.moveReference(alpha);
  await engine.moveReference(alpha).read();
  return (performance.now() - start) / UPDATES;
}
