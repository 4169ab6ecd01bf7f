/** What a sweep keeps of its runs, and how far each of them is. */
import { settingsOf } from "../../evaluation/compare/group_runs.ts";
import { writeFileAtomic } from "../../models/files/write_file.ts";
import { outputDirectory } from "../../training/output.ts";
import { toSnakeKeys } from "../config/case.ts";
import type { TrainConfig } from "../config.ts";
import { UserError } from "../errors.ts";
import type { SweepPlan, SweepRun } from "./expand.ts";

/** How far a run is: not begun, begun, or done. */
export type RunState = "new" | "interrupted" | "finished";

/** The settings of each run that was begun, by its name, as the sweep gave them. */
export type SweepRecords = Record<string, Record<string, string>>;

/** The file that holds them, in the sweep's directory. */
function recordsFile(directory: string): string {
  return `${directory}/sweep.json`;
}

/** Reads the records of a sweep; none where it hasn't begun. */
export async function readRecords(directory: string): Promise<SweepRecords> {
  const path = recordsFile(directory);
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return {};
    throw new UserError(
      `${path}: can't be read as the records of a sweep; remove it, or take another output.directory`,
      {
        cause,
      },
    );
  }
}

/** Notes down with which settings a run begins. */
export async function recordRun(
  directory: string,
  { run, records }: { run: SweepRun; records: SweepRecords },
): Promise<void> {
  records[run.name] = identityOf(run.config);
  await Deno.mkdir(directory, { recursive: true });
  await writeFileAtomic(recordsFile(directory), JSON.stringify(records, null, 1) + "\n");
}

/**
 * Finds out how far each run is.
 *
 * @throws {UserError} if a directory holds a run with other settings, or something else; it names all of them
 */
export async function statesOf({ directory, runs }: SweepPlan): Promise<RunState[]> {
  const records = await readRecords(directory);
  const problems: string[] = [];
  const states: RunState[] = [];
  for (const run of runs) {
    const path = run.config.output.directory;
    if (await isEmpty(path)) {
      states.push("new");
      continue;
    }
    const known = records[run.name];
    if (known === undefined) problems.push(`${path}: holds something that this sweep didn't begin`);
    else problems.push(...changes(known, identityOf(run.config)).map((change) => `${path}: ${change}`));
    states.push(await isFinished(run.config) ? "finished" : "interrupted");
  }
  if (problems.length === 0) return states;
  throw new UserError(
    `${problems.join("\n")}\nremove ${
      problems.length > 1 ? "those directories" : "that directory"
    }, or give base ` +
      "another output.directory",
  );
}

/** Everything that a run's result depends on. */
function identityOf(
  { output: _, data: { cache: __, ...data }, ...others }: TrainConfig,
): Record<string, string> {
  return Object.fromEntries(settingsOf(toSnakeKeys({ ...others, data })));
}

function changes(then: Record<string, string>, now: Record<string, string>): string[] {
  return [...new Set([...Object.keys(then), ...Object.keys(now)])].filter((key) => then[key] !== now[key])
    .map((key) => `was begun with ${key} ${then[key] ?? "not set"}, which is ${now[key] ?? "not set"} now`);
}

/** Whether a run has written its policy, which is the last that it does and appears whole. */
async function isFinished({ output, model }: TrainConfig): Promise<boolean> {
  const files = outputDirectory(output.directory);
  return !await isEmpty(model.lora?.merge === false ? files.adapter : files.model);
}

async function isEmpty(path: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(path)) return false;
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return true;
    throw new UserError(`${path}: is not a directory that a run could write to`, { cause });
  }
}
