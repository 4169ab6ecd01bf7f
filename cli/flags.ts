/**
 * Command-line arguments of a command that takes a configuration.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { type Command, COMMANDS } from "./config/commands.ts";
import type { Override } from "./config/overrides.ts";
import { nameProblem, namesOf } from "./config/structure.ts";
import { UserError } from "./errors.ts";

/** What a command line says: a configuration file, keys that win over it, and switches of the command itself. */
export interface Flags<S extends string> {
  /** The positional argument: the path of the YAML file, or null. */
  file: string | null;
  /** Configuration keys, in the order given. */
  overrides: Override[];
  /** Which of the command's switches were given; `help` is one of every command. */
  switches: Record<S | "help", boolean>;
}

/**
 * Parses the arguments of a command: `train run.yaml --loss.beta 0.1 --dry-run`.
 *
 * `--key value` and `--key=value` are the same; `-h` is `--help`, which makes everything else unimportant.
 *
 * @throws UserError that lists every argument that is not understood.
 */
export function parseFlags<const S extends string>(
  args: readonly string[],
  { command, switches }: { command: Command; switches: readonly S[] },
): Flags<S> {
  const names = namesOf(COMMANDS[command]);
  const allSwitches: readonly (S | "help")[] = [...switches, "help"];
  const overrides: Override[] = [];
  const problems = new Set<string>();

  const parsed = parseArgs(args, {
    boolean: allSwitches,
    alias: { h: "help" },
    string: ["_"],
    unknown(argument, key, value) {
      if (key === undefined) return true; // a positional argument
      const problem = argument.startsWith("--")
        ? nameProblem(key, { ...names, keys: [...names.keys, ...allSwitches] }, "--")
        : shortFlagProblem(argument);
      if (problem !== undefined) problems.add(`${argument.split("=", 1)[0]}: ${problem}`);
      else overrides.push({ key, value: typeof value === "string" ? value : true });
      return false;
    },
  });
  for (const name of allSwitches) {
    const valued = args.find((argument) =>
      argument.startsWith(`--${name}=`) && !/=(true|false)$/.test(argument)
    );
    if (valued !== undefined) problems.add(`--${name}: takes no value`);
  }
  const [file, ...others] = parsed._.map(String);
  for (const other of others) {
    problems.add(`${other}: unexpected; the configuration is one file, and that is ${file}`);
  }

  const given = Object.fromEntries(allSwitches.map((name) => [name, parsed[name] === true]));
  const flags = { file: file ?? null, overrides, switches: given as Record<S | "help", boolean> };
  if (problems.size > 0 && !flags.switches.help) throw new UserError([...problems].join("\n"));
  return flags;
}

function shortFlagProblem(argument: string): string {
  return /^-[\d.]/.test(argument)
    ? `unexpected; a negative value is written with "=", as in --key=${argument}`
    : "unknown flag; -h is the only one with a single dash";
}
