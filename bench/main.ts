/**
 * Runs benchmarks, prints their tables and stores them as one JSON file.
 *
 *     deno task bench [name…] [--rounds N] [--cases S,M,M4] [--profile] [--json FILE]
 *
 * @module
 */
import { runCommand } from "../cli/errors.ts";
import { describeBenchmarks, readArguments } from "./arguments.ts";
import type { Benchmark, Table } from "./benchmark.ts";
import { describeEnvironment, type Environment } from "./environment.ts";
import { formatTable } from "./format.ts";
import { growth } from "./growth.ts";
import { kernels } from "./kernels.ts";
import { lora } from "./lora.ts";
import { matmul } from "./matmul.ts";
import { peak } from "./peak.ts";

import { peerProducts } from "./peer_products.ts";
import { peers } from "./peers.ts";
import { steadyState } from "./steady_state.ts";
import { step } from "./step.ts";

const benchmarks: Readonly<Record<string, Benchmark>> = {
  peak,
  step,
  matmul,
  kernels,
  growth,
  lora,
  "steady-state": steadyState,

  "peer-products": peerProducts,
  peers,
};

if (import.meta.main) {
  const exitCode = await runCommand(main);
  // A finished benchmark's device may still keep the event loop alive.
  Deno.exit(exitCode);
}

async function main(): Promise<void> {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
    console.log(describeBenchmarks(benchmarks));
    return;
  }
  const { names, options, file } = readArguments(Deno.args, benchmarks);
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

function resultPath({ date, adapter }: Environment): string {
  const slug = adapter.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  return `${import.meta.dirname}/results/${date.slice(0, 10)}-${slug}.json`;
}
