/**
 * `deno task sweep sweep.yaml [--key value …] [--dry-run]`: a run for each combination of a grid, then their comparison.
 *
 * @module
 */
import { carryOut } from "./carry_out.ts";
import { writeComparison } from "./compare.ts";
import { COMMANDS } from "./config/commands.ts";
import { applyOverrides } from "./config/overrides.ts";
import { describeProblems } from "./config/problems.ts";
import { configHelp } from "./config.ts";
import { INTERRUPTED_EXIT_CODE, runCommand, UserError } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { formatDuration } from "./format.ts";
import { expandSweep, type SweepPlan } from "./sweep/expand.ts";
import { loadSweep, type Sweep } from "./sweep/parse_sweep.ts";
import { readRecords, recordRun, type RunState, statesOf } from "./sweep/records.ts";

const HELP = `deno task sweep sweep.yaml [--key value …] [--dry-run]

Carries out a run for each combination of a grid, one after another, and compares them. The file has two keys: base, a
run's configuration or the path of one, and grid, lists of values by dotted key. Each run has a directory in base's
output.directory, named by its values. The same command again skips what is finished and continues what was interrupted.

  --dry-run    list the runs and stop

Other flags change base:

`;

/** A run that ended in an error. */
interface Failure {
  name: string;
  message: string;
}

/** Runs the command. */
export async function sweep(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, { command: "train", switches: ["dry-run"] });
  if (switches.help) {
    console.log(HELP + configHelp("train"));
    return;
  }
  if (file === null) throw new UserError("name the sweep's file; --help tells what it holds");
  const given = await loadSweep(file);
  const plan = expandSweep({ ...given, base: withFlags(given, { file, overrides }) }, { name: file });
  const states = await statesOf(plan);
  console.log(describePlan(plan, states));
  if (switches["dry-run"]) return;

  const failures = await carryOutAll(plan, states);
  const failed = failures.map(({ name }) => name);
  const finished = plan.runs.filter(({ name }) => !failed.includes(name));
  if (finished.length > 0) {
    console.log();
    await writeComparison(finished.map(({ config }) => config.output.directory), {
      output: `${plan.directory}/comparison.html`,
      title: `Sweep over ${[...given.grid.keys()].join(", ")}`,
      notes: [...plan.skipped, ...failures.map(({ name, message }) => `${name} failed: ${message}`)]
        .map((note) => `${note}.`),
    });
  }
  if (failures.length === 0) return;
  throw new UserError(
    `${failures.length} of ${plan.runs.length} runs failed\n${
      failures.map(({ name, message }) => `  ${name}: ${message}`).join("\n")
    }`,
  );
}

function withFlags(
  { base, grid }: Sweep,
  { file, overrides }: { file: string; overrides: Parameters<typeof applyOverrides>[1]["overrides"] },
): unknown {
  const varied = overrides.find(({ key }) =>
    [...grid.keys()].some((name) => name === key || name.startsWith(`${key}.`))
  );
  if (varied) {
    throw new UserError(
      `--${varied.key}: would be ignored, because the grid of ${file} varies it; change it there`,
    );
  }
  const { value, problems } = applyOverrides(base, { overrides, keys: COMMANDS.train });
  if (problems.length > 0) {
    throw new UserError(describeProblems(problems, { name: file, origins: new Map() }));
  }
  return value;
}

/** Carries out what isn't finished; one failing run doesn't stop the others. */
async function carryOutAll({ directory, runs }: SweepPlan, states: readonly RunState[]): Promise<Failure[]> {
  const failures: Failure[] = [];
  const records = await readRecords(directory);
  const seconds: number[] = [];
  const open = runs.map((run, index) => ({ run, index })).filter(({ index }) => states[index] !== "finished");
  for (const [done, { run, index }] of open.entries()) {
    const left = seconds.length === 0
      ? ""
      : `, about ${formatDuration(mean(seconds) * (open.length - done))} left`;
    console.log(`\nRun ${index + 1} of ${runs.length}: ${run.name}${left}`);
    const start = performance.now();
    try {
      await recordRun(directory, { run, records });
      await carryOut(run.config, { resume: states[index] === "interrupted", brief: done > 0 });
      seconds.push((performance.now() - start) / 1000);
    } catch (error) {
      if (error instanceof UserError && error.exitCode === INTERRUPTED_EXIT_CODE) {
        throw new UserError(`${run.name}: interrupted; the same command again goes on from here`, {
          exitCode: INTERRUPTED_EXIT_CODE,
        });
      }
      const message = error instanceof Error ? error.message : String(error);
      console.error(`error: ${run.name}: ${message}`);
      failures.push({ name: run.name, message });
    }
  }
  return failures;
}

function describePlan({ directory, runs, skipped }: SweepPlan, states: readonly RunState[]): string {
  const said: Record<RunState, string> = {
    new: "",
    interrupted: "  to be continued",
    finished: "  finished",
  };
  const count = (state: RunState) => states.filter((other) => other === state).length;
  const totals = [`${runs.length} ${runs.length === 1 ? "run" : "runs"} in ${directory}`];
  if (count("finished") > 0) totals.push(`${count("finished")} finished`);
  if (count("interrupted") > 0) totals.push(`${count("interrupted")} to be continued`);
  return [
    totals.join(", "),
    ...runs.map(({ name }, index) => `  ${name}${said[states[index]!]}`),
    ...skipped,
  ].join("\n");
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

if (import.meta.main) await runCommand(() => sweep(Deno.args));
