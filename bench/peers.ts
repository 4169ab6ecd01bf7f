/** Our training step against what one could run instead, on the same weights and tokens, in the same rounds. */
import {
  type Benchmark,
  type BenchmarkOptions,
  median,
  rotate,
  type Row,
  summarize,
  type Table,
  timingColumns,
} from "./benchmark.ts";
import { type CaseVariant, prepareCase } from "./case_run.ts";
import { casesNamed, type StepCase } from "./cases.ts";
import { openDevice } from "./environment.ts";
import { writeCase } from "./peers/case_files.ts";
import { findPython, installJax } from "./peers/install.ts";
import { type Peer, type PeerCommand, startPeer } from "./peers/process.ts";

const ours = "@tr/align";
const ourVariants: Readonly<Record<string, CaseVariant>> = {
  [ours]: { reference: "frozen", sharePrompts: true },
  [`${ours}, prompts not shared`]: { reference: "frozen", sharePrompts: false },
};

/** A sample takes about this long, or one step. */
const SAMPLE_MILLISECONDS = 600;
/** Losses that are compared: that of the third step depends on two updates. */
const COMPARED_STEPS = 3;
/** How far losses of equal work may lie apart: float32 sums of some hundred log-probs, in another order. */
const LOSS_TOLERANCE = 1e-4;

/** Milliseconds a step and ratios to ours, of PyTorch and jax-js. */
export const peers: Benchmark = {
  description: "Our step against PyTorch's and jax-js's, on the same weights and tokens",
  flags: ["cases"],
  async *run(options) {
    const directory = await Deno.makeTempDir({ prefix: "peers-" });
    try {
      const commands = await findPeers(directory);
      for (const stepCase of casesNamed(options.cases ?? ["S", "M"])) {
        yield await compare(stepCase, { directory, commands, ...options });
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
};

/** How to start the peers of this machine, and why the others are missing. */
interface PeerCommands {
  readonly found: Readonly<Record<string, PeerCommand>>;
  readonly missing: readonly string[];
}

async function findPeers(directory: string): Promise<PeerCommands> {
  const script = (name: string) => new URL(`peers/${name}`, import.meta.url).pathname;
  const found: Record<string, PeerCommand> = {};
  const missing: string[] = [];
  const python = await findPython();
  if (python === null) missing.push("PyTorch: no python3 with torch");
  else {
    const { command, environment } = python;
    const run = (positions: string): PeerCommand => ({
      command: [command, script("torch_step.py"), directory, positions],
      environment,
    });
    found["PyTorch CPU"] = run("completion");
    found["PyTorch CPU, logits of all positions"] = run("all");
  }
  const jax = await installJax(directory);
  if (jax instanceof Error) missing.push(`jax-js: ${jax.message}`);
  else {
    for (const backend of ["wasm", "webgpu"]) {
      const run = ["run", "-A", "--no-check", script("jax_step.ts")];
      found[`jax-js ${backend}`] = { command: [Deno.execPath(), ...run, directory, backend, jax] };
    }
  }
  return { found, missing };
}

interface Contender {
  readonly name: string;
  readonly steps: Peer["steps"];
  readonly stop: () => Promise<void> | void;
}

async function compare(
  stepCase: StepCase,
  { directory, commands, rounds }: BenchmarkOptions & { directory: string; commands: PeerCommands },
): Promise<Table> {
  await writeCase(directory, stepCase);
  const contenders: Contender[] = [];
  const notes = commands.missing.map((reason) => `Not measured: ${reason}`);
  try {
    for (const [name, variant] of Object.entries(ourVariants)) {
      contenders.push({ name, ...await startOurs(stepCase, variant) });
    }
    for (const [label, command] of Object.entries(commands.found)) {
      try {
        const { name, remark, steps, stop } = await startPeer(command);
        contenders.push({ name: label, steps, stop });
        if (remark !== null) notes.push(`${label}: ${name}; ${remark}.`);
      } catch (error) {
        notes.push(`Not measured: ${label}: ${(error as Error).message}`);
      }
    }
    return await race(stepCase, { contenders, notes, rounds });
  } finally {
    for (const { stop } of contenders) await stop();
  }
}

async function startOurs(stepCase: StepCase, variant: CaseVariant): Promise<Omit<Contender, "name">> {
  const device = await openDevice();
  const run = await prepareCase(device, stepCase, variant);
  return {
    async steps(count) {
      const start = performance.now();
      const losses = await Promise.all(Array.from({ length: count }, () => run.step()));
      return { milliseconds: (performance.now() - start) / count, losses };
    },
    stop: () => device.destroy(),
  };
}

async function race(
  { name, pairs }: StepCase,
  { contenders, notes, rounds }: {
    contenders: readonly Contender[];
    notes: readonly string[];
    rounds: number;
  },
): Promise<Table> {
  const losses = new Map<string, number[]>();
  const counts = new Map<string, number>();
  for (const contender of contenders) {
    losses.set(contender.name, (await contender.steps(COMPARED_STEPS)).losses);
    const { milliseconds } = await contender.steps(1);
    counts.set(contender.name, Math.max(1, Math.round(SAMPLE_MILLISECONDS / milliseconds)));
  }
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, steps } of rotate(contenders, round)) {
      times.get(name)!.push((await steps(counts.get(name)!)).milliseconds);
    }
  }
  const own = times.get(ours)!;
  const rows = contenders.map(({ name }): Row => {
    const values = times.get(name)!;
    const ratios = values.map((value, round) => value / own[round]!);
    const distance = Math.max(
      ...losses.get(name)!.map((loss, i) => Math.abs(loss - losses.get(ours)![i]!)),
    );
    return {
      contender: name,
      ...timingColumns(summarize(values)),
      "× ours": median(ratios),
      "min ×": Math.min(...ratios),
      "max ×": Math.max(...ratios),
      "loss 1": losses.get(name)![0]!,
      "loss 3": losses.get(name)![2]!,
      "losses differ by": distance,
      "same work": distance <= LOSS_TOLERANCE,
    };
  });
  return {
    title: `DPO step, case ${name}: ${pairs} pair${pairs > 1 ? "s" : ""} of 128 tokens a sequence`,
    rows,
    notes: [
      "× ours: time over ours in the same round, median and range. Everybody starts from the same weights and takes the " +
      "same steps; peers take logits of completion positions only, as we do, unless the name says otherwise.",
      ...notes,
    ],
  };
}
