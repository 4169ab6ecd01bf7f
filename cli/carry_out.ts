/** Carries out a training run for a command: pre-flight, progress, report, summary. */
import type { MetricRow, Report } from "../evaluation/report/types.ts";
import { writeFileAtomic } from "../models/files/write_file.ts";
import type { Metrics } from "../training/metrics.ts";
import { checkDirectory, claimDirectory, type OutputDirectory } from "../training/output.ts";
import { type PreparedRun, prepareRun } from "../training/prepare.ts";
import { runTraining } from "../training/run.ts";
import { locateRun } from "../training/sources.ts";
import type { Sample } from "../training/samples.ts";
import { type SftConfig, stringifyConfig, type TrainConfig } from "./config.ts";
import { openDevice } from "./device.ts";
import { withDownloads } from "./download_progress.ts";
import { UserError } from "./errors.ts";
import { formatBytes, formatCount } from "./format.ts";
import { describeRun } from "./preflight.ts";
import { createProgress } from "./progress.ts";
import { recordedNames } from "./resume.ts";

/** Switches of the commands that train. */
export interface RunSwitches {
  /** Stop after the pre-flight. */
  readonly dryRun?: boolean;
  /** Continue from the last checkpoint. */
  readonly resume?: boolean;
  /** Replace a former run. */
  readonly overwrite?: boolean;
}

/** Milliseconds between two versions of the report while a run goes on. */
const REPORT_INTERVAL = 20_000;

/** What shells give for a process that Ctrl-C ended. */
const INTERRUPTED_EXIT_CODE = 130;

/** What a finished run leaves for a summary. */
export interface RunResult {
  /** Its files. */
  readonly output: OutputDirectory;
  /** Its metrics. */
  readonly rows: readonly Metrics[];
  /** What the policy said before and after. */
  readonly samples: readonly Sample[];
}

/**
 * Runs a configuration to its end, or to the end of its pre-flight.
 *
 * Nothing is written, and a former run is not replaced, before all that can be checked has been.
 *
 * @returns What the run left; null after a dry run.
 * @throws {UserError} with exit code 130 after an interruption
 */
export async function carryOut(
  given: TrainConfig | SftConfig,
  switches: RunSwitches,
): Promise<RunResult | null> {
  const { dryRun = false, resume = false, overwrite = false } = switches;
  const path = given.output.directory;
  if (resume && overwrite) {
    throw new UserError("--resume would be ignored beside --overwrite; give one of them");
  }
  const mode = resume ? "resume" : overwrite ? "overwrite" : "new";
  if (!dryRun) await checkDirectory(path, { mode });
  const device = await openDevice();
  try {
    const recorded = resume ? await recordedNames(path) : undefined;
    const { config, files } = await withDownloads((onEvent) =>
      locateRun(given, { onEvent, ...(recorded && { recorded }) })
    );
    const run = await prepareRun(device, config, { files });
    try {
      const color = Deno.stdout.isTerminal() && !Deno.noColor;
      console.log(describeRun(run, { color }));
      if (dryRun) return null;
      return await follow(run, { config, output: await claimDirectory(path, { mode }), resume });
    } finally {
      run.model.directory.close();
    }
  } finally {
    device.destroy();
  }
}

async function follow(
  run: PreparedRun,
  { config, output, resume }: { config: TrainConfig | SftConfig; output: OutputDirectory; resume: boolean },
): Promise<RunResult> {
  const progress = createProgress();
  const configText = stringifyConfig(config);
  const total = config.training.steps;
  // Loaded when it is first drawn with: a plotting library has no part in training.
  const report = async (rows: readonly Metrics[], samples: readonly Sample[]) => {
    const { renderReport } = await import("../evaluation/report.ts");
    await writeFileAtomic(output.report, renderReport(describeReport(run, { configText, rows, samples })));
  };
  let reported = performance.now();
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    Deno.removeSignalListener("SIGINT", interrupt); // a second Ctrl-C ends the process at once
  };
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    for await (const event of runTraining(run, { output, resume, configText, stop: () => interrupted })) {
      if (event.type === "start" && event.step > 0) progress.print(`Resuming after step ${event.step}.`);
      if (event.type === "step") {
        const { row, rows } = event;
        progress.update({
          step: row.step!,
          total,
          loss: row.loss,
          margin: row["rewards/margins"],
          tokensPerSecond: row.tokens_per_second,
        });
        if (performance.now() - reported > REPORT_INTERVAL) {
          await report(rows, []);
          reported = performance.now();
        }
      }
      if (event.type === "done") {
        await report(event.rows, event.samples);
        progress.finish();
        return { output, rows: event.rows, samples: event.samples };
      }
      if (event.type === "stopped") {
        await report(event.rows, []);
        progress.finish();
        throw new UserError(
          `interrupted after step ${event.step}; continue with --resume --output.directory ${output.path}`,
          { exitCode: INTERRUPTED_EXIT_CODE },
        );
      }
    }
  } finally {
    progress.finish();
    if (!interrupted) Deno.removeSignalListener("SIGINT", interrupt);
  }
  throw new Error("the run ended without a result");
}

/** The metric that shows what an adaptive strategy decides on. */
const METRIC_OF = { kl: "kl/reference", margin: "rewards/margins", curvature: "curvature" } as const;

function describeReport(
  run: PreparedRun,
  { configText, rows, samples }: { configText: string; rows: readonly Metrics[]; samples: readonly Sample[] },
): Report {
  const steps = rows.filter(({ step }) => step! > 0);
  const last = [...rows].reverse().find((row) => row["eval_rewards_initial/accuracies"] !== undefined);
  const accuracy = last?.["eval_rewards_initial/accuracies"];
  const { engine, config, records, strategy: { trigger } } = run;
  const name = typeof run.loss === "function" ? "custom loss" : run.loss.name;
  return {
    title: run.hasReference ? `${name}, reference ${run.strategy.description.name}` : name,
    config: configText,
    metrics: steps as unknown as MetricRow[],
    evaluations: rows.filter(({ step }) => step === 0) as unknown as MetricRow[],
    samples: [...samples],
    ...(trigger ? { bounds: { [METRIC_OF[trigger.measure]]: trigger.bound } } : {}),
    referenceUpdates: steps.filter((row) => (row["reference/alpha"] ?? 0) > 0).map(({ step }) => step!),
    summary: [
      ["model", config.model.path],
      ["device", engine.device.description],
      ["records", `${records.examples.length}`],
      ["steps", `${steps.at(-1)?.step ?? 0} of ${config.training.steps}`],
      ["device memory", formatBytes(engine.memory.total)],
      ...(run.hasReference
        ? [[
          "reference updates",
          `${steps.at(-1)?.["reference/updates"] ?? 0} so far; ${run.referenceForecast}`,
        ] as [string, string]]
        : []),
      ...(accuracy === undefined
        ? []
        : [["held-out reward accuracy", `${(accuracy * 100).toFixed(1)} %`] as [string, string]]),
      ...(steps.length === 0 ? [] : [
        ["tokens per second", formatCount(medianOf(steps.map((row) => row.tokens_per_second!)))] as [
          string,
          string,
        ],
      ]),
    ],
  };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Prints where a run's results are, its last held-out metrics, and one sample before and after. */
export function printResult({ output, rows, samples }: RunResult): void {
  const last = rows.at(-1)!;
  const held = [
    "eval_loss",
    "eval_rewards_initial/accuracies",
    "eval_rewards_initial/margins",
    "eval_rewards/margins",
  ]
    .filter((name) => last[name] !== undefined)
    .map((name) => `${name} ${last[name]!.toPrecision(4)}`);
  if (held.length > 0) console.log(`\nHeld out: ${held.join(", ")}`);
  const sample = samples.find(({ before, after }) => before !== after) ?? samples[0];
  if (sample !== undefined) {
    console.log(
      `\nPrompt:  ${sample.prompt.trim()}\nBefore:  ${sample.before.trim()}\nAfter:   ${sample.after.trim()}`,
    );
  }
  console.log(`\nModel:   ${output.model}\nReport:  ${output.report}\nMetrics: ${output.metrics}`);
}
