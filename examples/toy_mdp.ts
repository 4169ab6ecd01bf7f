/**
 * Does a moving reference keep probability from leaking to what nobody asked for? Measured where it can be measured exactly:
 * on a tree of token choices whose trajectories are all enumerated, for DPO, IPO and KTO with frozen and moving references.
 *
 *     deno run -A examples/toy_mdp.ts
 *     deno run -A examples/toy_mdp.ts --quick --output runs/toy_mdp_quick
 *
 * It is a re-creation of the token tree of the Trust Region paper (arXiv 2404.09656), whose depth, network and rates are not
 * known to us. Writes `report.html`, `toy_mdp.svg` and `numbers.json` into the output directory; the same settings give the
 * same numbers, bit for bit, on one device. docs/evidence.md says what came out.
 *
 * @module
 */
import { requestDevice } from "@tr/align/kernels";
import { parseArgs } from "@std/cli";
import { conclude } from "./toy_mdp/conclusion.ts";
import { drawOverview, drawPage, NOTE, numbersOf, tableOf } from "./toy_mdp/report.ts";
import { fullSettings, quickSettings, type Settings } from "./toy_mdp/settings.ts";
import { type CellSummary, summarize } from "./toy_mdp/summary.ts";
import { trainProblem } from "./toy_mdp/train.ts";

/** Options of {@linkcode runToyMdp}. */
export interface ToyMdpOptions {
  /** Where to write. */
  readonly output: string;
  /** Receives lines of progress; none by default. */
  readonly onProgress?: (line: string) => void;
}

/** Runs the experiment and writes its report. */
export async function runToyMdp(
  settings: Settings,
  { output, onProgress = () => {} }: ToyMdpOptions,
): Promise<CellSummary[]> {
  await Deno.mkdir(output, { recursive: true });
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("no GPU adapter");
  const device = await requestDevice(adapter);
  const curves = [];
  for (const problem of settings.problems) {
    const started = performance.now();
    curves.push(
      ...await trainProblem(device, {
        problem,
        settings,
        onStep(step) {
          if (step % 100 !== 0 && step !== settings.steps) return;
          const seconds = ((performance.now() - started) / 1000).toFixed(0);
          onProgress(`${problem.name}: step ${step} of ${settings.steps}, ${seconds} s`);
        },
      }),
    );
  }
  device.destroy();
  const summaries = summarize(curves);
  await Deno.writeTextFile(`${output}/toy_mdp.svg`, drawOverview(summaries, settings));
  await Deno.writeTextFile(`${output}/report.html`, drawPage(summaries, settings));
  await Deno.writeTextFile(`${output}/numbers.json`, JSON.stringify(numbersOf(summaries, settings)));
  return summaries;
}

function printTable(summaries: readonly CellSummary[]): void {
  for (const [problem, own] of Map.groupBy(summaries, ({ problem }) => problem)) {
    const { columns, rows } = tableOf(own);
    const widths = columns.map((heading, i) =>
      Math.max(heading.length, ...rows.map((row) => row[i]!.length))
    );
    console.log(`\n${problem}`);
    for (const row of [columns, ...rows]) {
      console.log(row.map((cell, i) => cell.padEnd(widths[i]!)).join("  "));
    }
  }
}

if (import.meta.main) {
  const { quick, output = "runs/toy_mdp", seeds, "first-seed": first = "0", steps, _: rest, ...unknown } =
    parseArgs(Deno.args, {
      boolean: ["quick"],
      string: ["output", "seeds", "first-seed", "steps"],
    });
  const base = quick ? quickSettings : fullSettings;
  const count = Number(seeds ?? base.seeds.length);
  const settings: Settings = {
    ...base,
    seeds: Array.from({ length: count }, (_, index) => Number(first) + index),
    steps: Number(steps ?? base.steps),
  };
  const isWhole = [count, settings.steps, Number(first) + 1].every((value) =>
    Number.isInteger(value) && value >= 1
  );
  if (rest.length > 0 || Object.keys(unknown).length > 0 || !isWhole) {
    console.error(
      "usage: deno run -A examples/toy_mdp.ts [--quick] [--output DIRECTORY] [--seeds COUNT] [--first-seed SEED] [--steps COUNT]",
    );
    Deno.exit(2);
  }
  const summaries = await runToyMdp(settings, { output, onProgress: (line) => console.error(line) });
  printTable(summaries);
  console.log(`\n${NOTE}\n\n${conclude(summaries)}\n\n${output}/report.html`);
}
