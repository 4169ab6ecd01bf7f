/**
 * Does a moving reference prevent overoptimization? A small language model learns to speak, is aligned on a few noisy
 * preferences between its own replies, and is judged by the exact reward behind them, as it moves away from its start:
 *
 *     deno run -A examples/overoptimization.ts            # ten minutes on two cores
 *     deno run -A examples/overoptimization.ts --full     # more β, α, τ and seeds: half an hour
 *
 * Finished runs are kept in `runs/overoptimization` (`--directory`) and not made again; `--report` makes none at all.
 * `--docs` also writes the numbers and pictures of `docs/evidence.md` anew, which `deno fmt` then lays out. The same seeds
 * give the same numbers.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { requestDevice } from "@tr/align/kernels";
import { ensureAdapter } from "../cli/adapter.ts";
import { carryOut } from "./overoptimization/carry_out.ts";
import { writeEvidence } from "./overoptimization/evidence.ts";
import { createProgress } from "./overoptimization/progress.ts";
import { printSummary, writeReport } from "./overoptimization/report.ts";
import { readGrid } from "./overoptimization/results.ts";
import { EXPERIMENT, FULL, QUICK } from "./overoptimization/settings.ts";
import { summarize } from "./overoptimization/summary.ts";

const USAGE =
  "usage: deno run -A examples/overoptimization.ts [--full] [--report] [--docs] [--directory PATH]";

if (import.meta.main) {
  const { full, report, docs, directory = "runs/overoptimization" } = parseArgs(Deno.args, {
    boolean: ["full", "report", "docs"],
    string: ["directory"],
    unknown: (argument) => {
      console.error(`error: ${argument} is not an option\n${USAGE}`);
      Deno.exit(2);
    },
  });
  try {
    const grid = full ? FULL : QUICK;
    const results = report
      ? await readGrid(directory, { grid, experiment: EXPERIMENT })
      : await runGrid(directory, grid);
    const summaries = summarize(results);
    const path = await writeReport(directory, { results, summaries });
    if (docs) await writeEvidence("docs", { results, summaries, isFull: full });
    printSummary(summaries);
    console.log(`\n${path}`);
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}

async function runGrid(directory: string, grid: typeof QUICK) {
  const device = await requestDevice(await ensureAdapter());
  const runs = grid.settings.length * grid.seeds.length;
  const onEvent = createProgress({ runs });
  const results = await carryOut(device, { directory, experiment: EXPERIMENT, grid, onEvent });
  device.destroy();
  return results;
}
