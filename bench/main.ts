/**
 * Runs benchmarks, prints their tables and stores them as one JSON file.
 *
 *     deno task bench [name…] [--rounds N] [--cases S,M,M4] [--profile] [--json FILE]
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { runCommand, UserError } from "../cli/errors.ts";
import type { Benchmark, BenchmarkOptions, Table } from "./benchmark.ts";
import { describeEnvironment, type Environment } from "./environment.ts";
import { formatTable } from "./format.ts";
import { kernels } from "./kernels.ts";
import { lora } from "./lora.ts";
import { matmul } from "./matmul.ts";
import { peak } from "./peak.ts";
import { peers } from "./peers.ts";
import { steadyState } from "./steady_state.ts";
import { step } from "./step.ts";

const benchmarks: Readonly<Record<string, Benchmark>> = {
  peak,
  step,
  matmul,
  kernels,
  lora,
  "steady-state": steadyState,
  peers,
};

if (import.meta.main) {
  const exitCode = await runCommand(main);
  // A finished benchmark's device may still keep the event loop alive.
  Deno.exit(exitCode);
}

async function main(): Promise<void> {
  if (Deno.args.includes("--help")) {
    console.log(`deno task bench [name …] [flags]; the flags are ${usage()}\n${known()}`);
    return;
  }
  const { names, options, file } = readArguments(Deno.args);
  const environment = await describeEnvironment();
  console.log(
    `${environment.adapter}, Deno ${environment.deno}, commit ${environment.commit.slice(0, 12)}` +
      `${environment.modified ? " (modified)" : ""}, load ${environment.load.toFixed(1)}\n`,
  );
  const results: Record<string, Table[]> = {};
  for (const name of names) {
    results[name] = [];
    for await (const table of benchmarks[name]!.run(options)) {
      console.log(`${formatTable(table)}\n`);
      results[name].push(table);
    }
  }
  const path = file ?? resultPath(environment);
  await Deno.writeTextFile(path, `${JSON.stringify({ environment, options, results }, null, 2)}\n`);
  console.log(`Written: ${path}`);
}

function known(): string {
  return Object.entries(benchmarks).map(([name, { description }]) => `\n  ${name}: ${description}`).join("");
}

function usage(): string {
  return "--rounds N, --cases S,M,M4, --profile and --json FILE";
}

function readArguments(args: readonly string[]) {
  const flags = parseArgs(args, {
    string: ["rounds", "json", "cases"],
    boolean: ["profile"],
    unknown: (argument, key) => {
      if (key !== undefined) throw new UserError(`Unknown flag ${argument}; there are ${usage()}`);
    },
  });
  const names = flags._.length === 0 ? Object.keys(benchmarks) : flags._.map(String);
  for (const name of names) {
    if (!Object.hasOwn(benchmarks, name)) {
      throw new UserError(`There is no benchmark "${name}". There are:${known()}`);
    }
  }
  for (const flag of ["cases", "profile"] as const) {
    if (!flags[flag] || names.some((name) => benchmarks[name]!.flags.includes(flag))) continue;
    throw new UserError(`--${flag} means nothing to ${names.join(" and ")}`);
  }
  const rounds = Number(flags.rounds ?? 7);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UserError(`--rounds must be a positive integer, got ${flags.rounds}`);
  }
  const cases = (flags.cases as string | undefined)?.split(",") ?? null;
  const options: BenchmarkOptions = { rounds, cases, profile: flags.profile === true };
  return { names, options, file: flags.json as string | undefined };
}

function resultPath({ date, adapter }: Environment): string {
  const slug = adapter.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  return `${import.meta.dirname}/results/${date.slice(0, 10)}-${slug}.json`;
}
