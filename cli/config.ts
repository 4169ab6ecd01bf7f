/**
 * The configuration of a command: a YAML file and flags in, every key checked and every default filled in.
 *
 * @module
 */
import { parse, stringify } from "@std/yaml";
import * as v from "valibot";
import { toCamelKeys, toSnakeKeys } from "./config/case.ts";
import { type Command, type CommandConfigs, COMMANDS, type TrainConfig } from "./config/commands.ts";
import { keyLines } from "./config/key_lines.ts";
import { applyOverrides, type Override } from "./config/overrides.ts";
import { describeProblems, isWithin, type Problem, show, withFlagOrigins } from "./config/problems.ts";
import { freezeUnusedReference, type Rule, RULES } from "./config/rules.ts";
import { checkStructure } from "./config/structure.ts";
import { keyEntries, withoutIndices } from "./config/tree.ts";
import { UserError } from "./errors.ts";

export type {
  Command,
  CommandConfigs,
  EvaluateConfig,
  ExportConfig,
  GenerateConfig,
  InspectConfig,
  LossTerm,
  ReferenceConfig,
  ScoreConfig,
  SftConfig,
  TrainConfig,
  TuneConfig,
} from "./config/commands.ts";
export type { Override } from "./config/overrides.ts";
export { configHelp } from "./config/help.ts";

/** Where a configuration comes from. */
export interface ConfigSource {
  /** The YAML text; none by default, so that flags give everything. */
  yaml?: string;
  /** What the text would say, already read; then messages name no lines. */
  content?: unknown;
  /** What messages call the text, usually its path; `configuration` by default. */
  name?: string;
  /** Flags, which win over the text. */
  overrides?: readonly Override[];
}

/**
 * Reads the configuration of a command from YAML text and flags, checks it, and fills in the defaults.
 *
 * Keys are snake_case in the text and in flags, camelCase in the result. Paths stay as they are given.
 *
 * @throws UserError that lists everything that is wrong, with line numbers or flags.
 */
export function parseConfig<C extends Command>(command: C, source: ConfigSource): CommandConfigs[C] {
  const { yaml = "", content, name = "configuration", overrides = [] } = source;
  const keys = COMMANDS[command];
  const lines = new Map([...keyLines(yaml)].map(([key, line]) => [key, `line ${line}`]));
  const origins = withFlagOrigins(lines, overrides.map(({ key }) => key));

  const laid = applyOverrides(content ?? parseYaml(yaml, name), { overrides, keys });
  const structure = checkStructure(laid.value, keys);
  const value = command === "train" ? freezeUnusedReference(structure.value) : structure.value;
  const result = v.safeParse(keys.schema, value);
  const problems = [...laid.problems, ...structure.problems];
  addUnlessReported(problems, (result.issues ?? []).map((issue) => issueProblem(issue, keys.schema)));

  // A rule reads only keys without a problem, and those are typed even where others are not.
  const config = toCamelKeys(result.output) as CommandConfigs[C];
  problems.push(...brokenRules(RULES[command] as Rule<CommandConfigs[C]>[], config, problems));
  if (problems.length > 0) throw new UserError(describeProblems(problems, { name, origins }));
  return config;
}

/**
 * Reads the configuration of a command from a YAML file, if one is named, and flags; see {@linkcode parseConfig}.
 *
 * @throws UserError for a file that cannot be read and for everything that is wrong in it.
 */
export async function loadConfig<C extends Command>(
  command: C,
  { file, overrides }: { file: string | null; overrides: readonly Override[] },
): Promise<CommandConfigs[C]> {
  if (file === null) return parseConfig(command, { overrides });
  return parseConfig(command, { yaml: await readText(file), name: file, overrides });
}

/** Writes a configuration as YAML with snake_case keys, from which {@linkcode parseConfig} reads the same again. */
export function stringifyConfig(config: CommandConfigs[Command]): string {
  const written = "loss" in config ? { ...config, loss: withoutLoneWeight(config.loss) } : config;
  return stringify(toSnakeKeys(written), { lineWidth: -1 });
}

// One loss of weight 1 is written as the mapping that it usually was.
function withoutLoneWeight(loss: TrainConfig["loss"]): unknown {
  const [term] = loss;
  if (loss.length !== 1 || term?.weight !== 1) return loss;
  const { weight: _, ...rest } = term;
  return rest;
}

/** The text of a file that the user named. */
export async function readText(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "there is no such file"
      : `cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new UserError(`${file}: ${reason}`, { cause });
  }
}

/** The content of a YAML text; `name` is what messages call it. */
export function parseYaml(yaml: string, name: string): unknown {
  // The YAML parser takes a tab for a space of any width and puts the line into the wrong section.
  const tab = yaml.split("\n").findIndex((line) => /^ *\t\s*[^\s#]/.test(line));
  if (tab >= 0) {
    throw new UserError(`${name}: line ${tab + 1} is indented with a tab; YAML takes spaces only`);
  }
  try {
    return parse(yaml);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const [summary = ""] = cause.message.split("\n"); // the lines after it draw an arrow below the text
    throw new UserError(`${name}: not valid YAML: ${summary.replace(/:$/, "")}`, { cause });
  }
}

function issueProblem(issue: v.BaseIssue<unknown>, schema: v.GenericSchema): Problem {
  const path = v.getDotPath(issue) ?? "";
  const isMissing = issue.type === "object" && issue.received === "undefined";
  if (!isMissing) return { path, message: `${show(issue.input)} ${issue.message}` };
  const entry = keyEntries(schema).find((entry) => entry.path === withoutIndices(path));
  return { path, message: `is missing: ${entry?.doc ?? "it has no default"}`.replace(/\.$/, "") };
}

// What lies inside a key that has a problem already only repeats it.
function addUnlessReported(problems: Problem[], more: readonly Problem[]): void {
  const reported = problems.map(({ path }) => path);
  problems.push(...more.filter(({ path }) => !isWithin(path, reported)));
}

function brokenRules<C>(rules: readonly Rule<C>[], config: C, problems: readonly Problem[]): Problem[] {
  const reported = problems.map(({ path }) => path);
  return rules
    .filter(({ reads }) =>
      reads.every((key) => !isWithin(key, reported) && !reported.some((path) => isWithin(path, [key])))
    )
    .flatMap(({ about, check }) => {
      const message = check(config);
      return message === undefined ? [] : [{ path: about, message }];
    });
}
