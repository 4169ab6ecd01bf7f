import type { PageTable } from "../page/types.ts";
import { formatNumber } from "../html.ts";
import { pointsOf } from "../report/points.ts";
import { summarize } from "./curves.ts";
import { differences } from "./group_runs.ts";
import type { Measurement, RunGroup } from "./types.ts";

/** Metrics of which the last value is in the table, by their headings, the most telling first. */
const FINAL = {
  "held-out accuracy": "eval_rewards_initial/accuracies",
  "held-out margin": "eval_rewards_initial/margins",
  "held-out KL": "eval_kl/initial",
  "KL": "kl/initial",
  "loss": "loss",
  "held-out loss": "eval_loss",
  "held-out chosen log-prob": "eval_logps/chosen",
  "curvature": "curvature",
  "updates": "reference/updates",
} as const;

/** Over how many of its last values a training metric is averaged, for a single batch says little. */
const LAST_VALUES = 20;

/** The numbers at the end of the runs. */
export function finalTable(groups: readonly RunGroup[]): PageTable {
  const all = Object.entries(FINAL).map(([heading, metric]) => ({
    heading,
    cells: groups.map((group) => describe(finalValue(group, metric))),
  }));
  const columns = all.filter(({ cells }) => cells.some((cell) => cell !== "–"));
  return {
    title: "At the end",
    reading: `Margins and KL are against the initial reference. Training metrics are means of the last ` +
      `${LAST_VALUES} values. Numbers in brackets are 95 % bootstrap intervals ` +
      "over seeds, which for fewer than ten seeds say little more than how far the seeds lie apart.",
    columns: ["setting", "runs", "steps", ...columns.map(({ heading }) => heading)],
    rows: groups.map(({ name, runs }, index) => [
      name,
      String(runs.length),
      String(Math.min(...runs.map(({ metrics }) => metrics.at(-1)?.step ?? 0))),
      ...columns.map(({ cells }) => cells[index]!),
    ]),
  };
}

/** What the configurations differ in; empty where they don't. */
export function differenceTable(groups: readonly RunGroup[]): PageTable {
  const { keys, rows } = differences(groups);
  return {
    title: "What differs",
    columns: ["setting", "runs", ...keys],
    rows: keys.length === 0 ? [] : groups.map((
      { name, runs },
      index,
    ) => [name, runs.map((run) => run.name).join(", "), ...rows[index]!]),
  };
}

function finalValue({ runs }: RunGroup, metric: string): Measurement | undefined {
  const last = metric.startsWith("eval_") || metric === "reference/updates" ? 1 : LAST_VALUES;
  const values = runs.flatMap(({ metrics }) => {
    const points = pointsOf(metrics, metric).slice(-last);
    return points.length === 0 ? [] : points.reduce((sum, [, value]) => sum + value, 0) / points.length;
  });
  return values.length === 0 ? undefined : summarize(values, { resamples: 10_000 });
}

/** A measurement with its interval as text; a dash for none. */
export function describe(measured: Measurement | undefined): string {
  if (measured === undefined) return "–";
  const { mean, low, high } = measured;
  const interval = low === undefined || high === undefined || low === high
    ? ""
    : ` [${formatNumber(low)}, ${formatNumber(high)}]`;
  return formatNumber(mean) + interval;
}
