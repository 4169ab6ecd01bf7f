/** Our training step against what one could run instead, on the same weights and tokens, in the same rounds. */
import type { Benchmark, BenchmarkOptions, Row, Table } from "./benchmark.ts";
import { type CaseVariant, prepareCase } from "./case_run.ts";
import { casesNamed, largeCases, smallCases, type StepCase } from "./cases.ts";
import { openDevice } from "./environment.ts";
import { writeCase } from "./peers/case_files.ts";
import { findPython, installJax } from "./peers/install.ts";
import { type PeerCommand, startPeer } from "./peers/process.ts";
import { type Contender, race, raceColumns } from "./peers/race.ts";

const ours = "@tr/align";
const ourVariants: Readonly<Record<string, CaseVariant>> = {
  [ours]: { reference: "frozen", sharePrompts: true },
  [`${ours}, prompts not shared`]: { reference: "frozen", sharePrompts: false },
};

/** Losses that are compared: that of the third step depends on two updates. */
const COMPARED_STEPS = 3;
/** How far losses of equal work may lie apart: float32 sums of some hundred log-probs, in another order. */
const LOSS_TOLERANCE = 1e-4;

/** Milliseconds a step and ratios to ours, of PyTorch and jax-js. */
export const peers: Benchmark = {
  description:
    "Our step against PyTorch's (CPU, and CUDA where there is) and jax-js's, on the same weights and tokens",
  flags: ["cases"],
  cases: [...smallCases, ...largeCases].map(({ name }) => name),
  async *run(options) {
    const directory = await Deno.makeTempDir({ prefix: "peers-" });
    try {
      const commands = await findPeers(directory);
      const standard = ["S", "M", ...(commands.cuda ? ["SmolLM2-135M"] : [])];
      for (const stepCase of casesNamed(options.cases ?? standard)) {
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
  /** Whether PyTorch runs on a GPU. */
  readonly cuda: boolean;
}

async function findPeers(directory: string): Promise<PeerCommands> {
  const script = (name: string) => new URL(`peers/${name}`, import.meta.url).pathname;
  const found: Record<string, PeerCommand> = {};
  const missing: string[] = [];
  const python = await findPython();
  if (python === null) missing.push("PyTorch: no python3 with torch");
  else {
    const { command, environment, cuda } = python;
    for (const device of cuda ? ["cuda", "cpu"] : ["cpu"]) {
      const run = (positions: string): PeerCommand => ({
        command: [command, script("torch_step.py"), directory, positions, device],
        environment,
      });
      const name = `PyTorch ${device.toUpperCase()}`;
      found[name] = run("completion");
      found[`${name}, logits of all positions`] = run("all");
    }
  }
  const jax = await installJax(directory);
  if (jax instanceof Error) missing.push(`jax-js: ${jax.message}`);
  else {
    for (const backend of ["wasm", "webgpu"]) {
      const run = ["run", "-A", "--no-check", script("jax_step.ts")];
      found[`jax-js ${backend}`] = { command: [Deno.execPath(), ...run, directory, backend, jax] };
    }
  }
  return { found, missing, cuda: python?.cuda ?? false };
}

async function compare(
  stepCase: StepCase,
  { directory, commands, rounds }: BenchmarkOptions & { directory: string; commands: PeerCommands },
): Promise<Table> {
  await writeCase(directory, stepCase);
  const contenders: Contender[] = [];
  const notes = commands.missing.map((reason) => `Not measured: ${reason}`);
  const memory = new Map<string, number>();
  try {
    for (const [name, variant] of Object.entries(ourVariants)) {
      const { total, ...contender } = await startOurs(stepCase, variant);
      contenders.push({ name, ...contender });
      memory.set(name, total);
    }
    for (const [label, command] of Object.entries(commands.found)) {
      if (largeCases.includes(stepCase) && !label.startsWith("PyTorch CUDA")) {
        notes.push(`Not measured: ${label}: too slow for a model of this size`);
        continue;
      }
      try {
        const { name, remark, repeat, stop } = await startPeer(command);
        const remember: Contender["repeat"] = async (count) => {
          const answer = await repeat(count);
          if (answer.memory) memory.set(label, answer.memory);
          return answer;
        };
        contenders.push({ name: label, repeat: remember, stop });
        if (remark !== null) notes.push(`${label}: ${name}; ${remark}.`);
      } catch (error) {
        notes.push(`Not measured: ${label}: ${(error as Error).message}`);
      }
    }
    const results = await race(contenders, { rounds, first: COMPARED_STEPS });
    return tabulate(stepCase, { results, memory, notes });
  } finally {
    for (const { stop } of contenders) await stop();
  }
}

async function startOurs(
  stepCase: StepCase,
  variant: CaseVariant,
): Promise<Omit<Contender, "name"> & { total: number }> {
  const device = await openDevice();
  const run = await prepareCase(device, stepCase, variant);
  return {
    total: run.engine.memory.total,
    async repeat(count) {
      const start = performance.now();
      const values = await Promise.all(Array.from({ length: count }, () => run.step()));
      return { milliseconds: (performance.now() - start) / count, values };
    },
    stop: () => device.destroy(),
  };
}

function tabulate(
  { name, pairs, promptTokens, completionTokens }: StepCase,
  { results, memory, notes }: {
    results: Awaited<ReturnType<typeof race>>;
    memory: ReadonlyMap<string, number>;
    notes: readonly string[];
  },
): Table {
  const rows = results.map((result): Row => {
    const { name, values, distance } = result;
    const bytes = memory.get(name);
    return {
      contender: name,
      ...raceColumns(result),
      "device MB": bytes === undefined ? null : bytes / 1e6,
      "loss 1": values[0]!,
      "loss 3": values[2]!,
      "losses differ by": distance,
      "same work": distance <= LOSS_TOLERANCE,
    };
  });
  return {
    title: `DPO step, case ${name}: ${pairs} pair${pairs > 1 ? "s" : ""} of ${
      promptTokens + completionTokens
    } tokens a sequence`,
    rows,
    notes: [
      "× ours: time over ours in the same round, median and range. Everybody starts from the same weights and takes the " +
      "same steps; peers take logits of completion positions only, as we do, unless the name says otherwise. device MB: " +
      "what ours allocates, and the most that PyTorch had allocated on a GPU.",
      ...notes,
    ],
  };
}
