/** The command line of the benchmarks. */
import { parseArgs } from "@std/cli";
import { UserError } from "../cli/errors.ts";
import type { Benchmark, BenchmarkOptions } from "./benchmark.ts";

/** What a command line asks for. */
export interface BenchArguments {
  /** Benchmarks to run, in order. */
  readonly names: readonly string[];
  /** What they are told. */
  readonly options: BenchmarkOptions;
  /** Where results go, if somewhere else than usual. */
  readonly file: string | undefined;
}

/** Timed rounds unless `--rounds` says otherwise. */
const ROUNDS = 7;

type Benchmarks = Readonly<Record<string, Benchmark>>;

/** What `--help` prints. */
export function describeBenchmarks(benchmarks: Benchmarks): string {
  const width = Math.max(...Object.keys(benchmarks).map((name) => name.length));
  const lines = Object.entries(benchmarks).flatMap(([name, { description, cases, flags }]) => [
    `  ${name.padEnd(width)}  ${description}`,
    ...(cases === undefined ? [] : [`  ${" ".repeat(width)}  --cases ${cases.join(",")}`]),
    ...(flags.includes("profile") ? [`  ${" ".repeat(width)}  --profile`] : []),
  ]);
  return `deno task bench [name …] [flags]

Without names, all benchmarks run. Tables are printed and stored in bench/results.

${lines.join("\n")}

  --rounds N     timed rounds, ${ROUNDS} by default; fewer take less time
  --cases A,B    the models and batches to measure
  --profile      also the time of each kernel
  --json FILE    where the results are written`;
}

/**
 * Parses `[name …] [flags]`.
 *
 * @throws UserError for a name, flag, case or number that means nothing.
 */
export function readArguments(args: readonly string[], benchmarks: Benchmarks): BenchArguments {
  const flags = parseArgs(args, {
    string: ["rounds", "json", "cases"],
    boolean: ["profile"],
    unknown: (argument, key) => {
      if (key !== undefined) throw new UserError(`Unknown flag ${argument}; see deno task bench --help`);
    },
  });
  const all = Object.keys(benchmarks);
  const names = flags._.length === 0 ? all : flags._.map(String);
  for (const name of names) {
    if (Object.hasOwn(benchmarks, name)) continue;
    throw new UserError(`There is no benchmark "${name}". There are ${all.join(", ")}`);
  }
  for (const flag of ["cases", "profile"] as const) {
    if (!flags[flag] || names.some((name) => benchmarks[name]!.flags.includes(flag))) continue;
    throw new UserError(`--${flag} means nothing to ${names.join(" and ")}`);
  }
  const rounds = Number(flags.rounds ?? ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UserError(`--rounds must be a positive integer, got ${flags.rounds}`);
  }
  const cases = (flags.cases as string | undefined)?.split(",") ?? null;
  if (cases !== null) checkCases(cases, names.map((name) => benchmarks[name]!));
  const options = { rounds, cases, profile: flags.profile === true };
  return { names, options, file: flags.json as string | undefined };
}

function checkCases(given: readonly string[], benchmarks: readonly Benchmark[]): void {
  const known = [...new Set(benchmarks.flatMap(({ cases = [] }) => cases))];
  for (const name of given) {
    if (known.includes(name)) continue;
    throw new UserError(`--cases: there is no case "${name}"; the cases are ${known.join(", ")}`);
  }
}
