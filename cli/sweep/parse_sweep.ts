/** The file of a sweep: a run's configuration, and the values that are varied. */
import { keyLines } from "../config/key_lines.ts";
import { COMMANDS } from "../config/commands.ts";
import { describeProblems, type Problem, show } from "../config/problems.ts";
import { nameProblem, namesOf } from "../config/structure.ts";
import { isMapping } from "../config/tree.ts";
import { parseYaml, readText } from "../config.ts";
import { UserError } from "../errors.ts";
import { didYouMean } from "../nearest.ts";

/** A sweep as its file gives it. */
export interface Sweep {
  /** The run's configuration as sections and keys in snake_case, not yet checked. */
  readonly base: unknown;
  /** The values of each dotted key, in the file's order. */
  readonly grid: ReadonlyMap<string, readonly unknown[]>;
}

const KEYS = ["base", "grid"];

/**
 * Reads a sweep from its file; where `base` is a path, from that file too.
 *
 * @throws {UserError} that lists everything that is wrong with the file itself
 */
export async function loadSweep(file: string): Promise<Sweep> {
  const yaml = await readText(file);
  const content = parseYaml(yaml, file);
  const lines = new Map([...keyLines(yaml)].map(([key, line]) => [key, `line ${line}`]));
  if (!isMapping(content)) {
    throw new UserError(`${file}: ${show(content)} stands where a mapping is wanted, with base and grid`);
  }
  const problems: Problem[] = Object.keys(content).filter((key) => !KEYS.includes(key))
    .map((key) => ({
      path: key,
      message: `unknown key${didYouMean(key, KEYS)}; a run's own keys belong into base`,
    }));
  const { base, grid } = content;
  if (typeof base !== "string" && !isMapping(base)) {
    problems.push({ path: "base", message: "is missing: give a run's configuration, or the path of one" });
  }
  if (!isMapping(grid) || Object.keys(grid).length === 0) {
    problems.push({
      path: "grid",
      message: "is missing: give lists of values by key, as in reference.alpha: [0.4, 0.6]",
    });
  } else {
    problems.push(...gridProblems(grid));
  }
  if (problems.length > 0) throw new UserError(describeProblems(problems, { name: file, origins: lines }));
  return {
    base: typeof base === "string" ? parseYaml(await readText(base), base) : base,
    grid: new Map(Object.entries(grid as Record<string, unknown[]>)),
  };
}

function gridProblems(grid: Record<string, unknown>): Problem[] {
  const keys = Object.keys(grid);
  return Object.entries(grid).flatMap(([key, values]) => {
    const message = keyProblem(key, keys) ?? valuesProblem(key, values);
    return message === undefined ? [] : [{ path: `grid.${key}`, message }];
  });
}

function keyProblem(key: string, keys: readonly string[]): string | undefined {
  if (key === "output" || key.startsWith("output.")) {
    return "can't be varied: it says what a run writes, and each run has a directory of its own";
  }
  const outer = keys.find((other) => key.startsWith(`${other}.`));
  if (outer !== undefined) return `lies inside ${outer}, which the grid varies too; keep one of them`;
  return nameProblem(key, namesOf(COMMANDS.train));
}

function valuesProblem(key: string, values: unknown): string | undefined {
  if (isMapping(values)) {
    const [first = "key"] = Object.keys(values);
    return `is a mapping; write its keys with dots, as in ${key}.${first}: [ … ]`;
  }
  if (!Array.isArray(values)) {
    return `${show(values)} is not a list; give the values to try, or move it into base`;
  }
  if (values.length === 0) return "is an empty list, which leaves nothing to run; give at least one value";
  const written = values.map((value) => JSON.stringify(value));
  const twice = written.find((value, index) => written.indexOf(value) !== index);
  return twice === undefined ? undefined : `has ${twice} twice; leave one out`;
}
