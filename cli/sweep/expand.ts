/** From a grid to runs: every combination once, without those that only repeat another. */
import { COMMANDS } from "../config/commands.ts";
import { assign } from "../config/overrides.ts";
import { show } from "../config/problems.ts";
import { needsNoReference } from "../config/rules.ts";
import { copyTree, isMapping, sectionOf } from "../config/tree.ts";
import { parseConfig, type TrainConfig } from "../config.ts";
import { UserError } from "../errors.ts";
import type { Sweep } from "./parse_sweep.ts";

/** One run of a sweep. */
export interface SweepRun {
  /** What it varies, as the name of its directory: `alpha=0.4,seed=1`. */
  readonly name: string;
  /** Its configuration, checked. */
  readonly config: TrainConfig;
}

/** The runs of a sweep. */
export interface SweepPlan {
  /** Where the runs' directories are. */
  readonly directory: string;
  /** The runs, the grid's last key varying fastest. */
  readonly runs: readonly SweepRun[];
  /** What of the grid was left out and why, a sentence each. */
  readonly skipped: readonly string[];
}

/** The sections whose keys depend on their type, and the key that tells it. */
const TYPED = { loss: "type", reference: "update" } as const;

/** A combination with its configuration before it is checked. */
interface Combination {
  name: string;
  tree: Record<string, unknown>;
  dropped: Dropped;
}

/** Keys of the grid that a combination does without, and the settings that would ignore them. */
interface Dropped {
  keys: string[];
  by: string[];
}

/**
 * Makes the runs of a sweep and checks all of them.
 *
 * Where the grid varies a loss's type or a reference's update, keys that one of those doesn't have are left out of its
 * runs, and combinations that differ in such keys only are one run.
 *
 * @param options.name What messages call the sweep, usually its file.
 * @throws {UserError} that lists everything that is wrong with any of the configurations
 */
export function expandSweep({ base, grid }: Sweep, { name }: { name: string }): SweepPlan {
  const directory = directoryOf(base, name);
  const unique = new Map<string, Combination>();
  const all = combinationsOf(grid).map((values) => combine(base, { values, grid, name }));
  for (const combination of all) {
    const known = unique.get(combination.name);
    if (known === undefined) unique.set(combination.name, combination);
    else if (JSON.stringify(known.tree) !== JSON.stringify(combination.tree)) {
      throw new UserError(
        `${name}: ${combination.name}: two combinations would have this directory; give them values that differ in ` +
          "letters or digits",
      );
    }
  }
  const runs: SweepRun[] = [];
  const problems = new Map<string, string[]>();
  for (const { name: run, tree } of unique.values()) {
    assign(tree, ["output", "directory"], `${directory}/${run}`);
    try {
      runs.push({ name: run, config: parseConfig("train", { content: tree, name }) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.set(error.message, [...problems.get(error.message) ?? [], run]);
    }
  }
  if (problems.size > 0) throw new UserError(describeFailures(problems, unique.size));
  return { directory, runs, skipped: describeDropped(all) };
}

/** Every choice of one value a key. */
function combinationsOf(grid: Sweep["grid"]): Map<string, unknown>[] {
  return [...grid].reduce<Map<string, unknown>[]>(
    (combinations, [key, values]) =>
      combinations.flatMap((combination) => values.map((value) => new Map([...combination, [key, value]]))),
    [new Map()],
  );
}

function combine(
  base: unknown,
  { values, grid, name }: { values: Map<string, unknown>; grid: Sweep["grid"]; name: string },
): Combination {
  const tree = copyTree(base ?? {}) as Record<string, unknown>;
  for (const [key, value] of values) {
    const problem = assign(tree, key.split("."), copyTree(value));
    if (problem !== undefined) throw new UserError(`${name}: grid.${key}: ${problem}`);
  }
  const dropped = dropIgnoredKeys(tree, grid);
  const kept = [...values].filter(([key]) => !dropped.keys.includes(key));
  return { name: nameOf(kept, [...grid.keys()]), tree, dropped };
}

/** Takes away what the loss or the reference would ignore, where the grid varies its type. */
function dropIgnoredKeys(tree: Record<string, unknown>, grid: Sweep["grid"]): Dropped {
  const { entries } = sectionOf(COMMANDS.train.schema, tree)!;
  const dropped: Dropped = { keys: [], by: [] };
  const drop = (keys: readonly string[], by: string) => {
    const varied = keys.filter((key) => grid.has(key));
    if (varied.length === 0) return;
    dropped.keys.push(...varied);
    dropped.by.push(by);
  };
  for (const [name, typeKey] of Object.entries(TYPED)) {
    const value = tree[name];
    if (!grid.has(`${name}.${typeKey}`) || !isMapping(value)) continue;
    const section = sectionOf(entries[name] as Parameters<typeof sectionOf>[0], value);
    if (!section?.type) continue;
    const foreign = Object.keys(value).filter((key) => section.foreign.has(key));
    for (const key of foreign) delete value[key];
    drop(foreign.map((key) => `${name}.${key}`), `${name}.${typeKey}: ${section.type.name}`);
  }
  if (grid.has("loss.type") && needsNoReference(tree.loss)) {
    delete tree.reference;
    const keys = [...grid.keys()].filter((key) => key === "reference" || key.startsWith("reference."));
    drop(keys, `loss.type: ${(tree.loss as { type: string }).type}`);
  }
  return dropped;
}

function describeDropped(all: readonly Combination[]): string[] {
  const groups = Map.groupBy(
    all.filter(({ dropped }) => dropped.keys.length > 0),
    ({ dropped }) =>
      `${[...new Set(dropped.keys)].join(", ")} would be ignored by ${dropped.by.join(" and ")}`,
  );
  return [...groups].map(([sentence, combinations]) => {
    const runs = new Set(combinations.map(({ name }) => name)).size;
    return `${sentence}: ${combinations.length} combinations are ${runs === 1 ? "one run" : `${runs} runs`}`;
  });
}

function describeFailures(problems: ReadonlyMap<string, readonly string[]>, total: number): string {
  return [...problems].map(([message, runs]) => {
    if (runs.length === total) return message;
    const others = runs.length > 1 ? ` and ${runs.length - 1} more` : "";
    return `${message}\n  in ${runs[0]}${others}`;
  }).join("\n");
}

/** The name of a directory: no separators, nothing that a shell would take for its own. */
function nameOf(values: readonly (readonly [string, unknown])[], keys: readonly string[]): string {
  if (values.length === 0) return "all";
  const short = (key: string) => {
    const last = key.split(".").at(-1)!;
    return keys.filter((other) => other.split(".").at(-1) === last).length > 1 ? key : last;
  };
  return values.map(([key, value]) => `${short(key)}=${slug(value)}`).join(",");
}

function slug(value: unknown): string {
  if (typeof value === "number") return show(value);
  if (typeof value === "object" && value !== null) return Object.values(value).map(slug).join("-");
  return String(value).replace(/[^\w.+-]+/g, "-");
}

function directoryOf(base: unknown, name: string): string {
  const output = isMapping(base) ? base.output : undefined;
  const directory = isMapping(output) ? output.directory : undefined;
  if (typeof directory === "string" && directory !== "") return directory.replace(/(.)\/+$/, "$1");
  throw new UserError(`${name}: base: output.directory is missing: the runs' directories go into it`);
}
