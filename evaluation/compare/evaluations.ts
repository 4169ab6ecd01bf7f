import type { PageSection } from "../page/types.ts";
import type { PlotOptions } from "../plot/types.ts";
import { summarize } from "./curves.ts";
import { appearanceOf } from "./sections.ts";
import { describe } from "./tables.ts";
import type { Measurement, RunGroup } from "./types.ts";

/** What an evaluation measures of the policy's own answers, by the KL along them. */
const OF_SAMPLES = {
  distance: "samples/kl/initial",
  qualities: {
    "gold/score": "Gold score",
    "gold/win_rate": "Win rate by the gold score",
    "reward_model/score": "Reward model's score",
    "reward_model/win_rate": "Win rate by the reward model",
    "judge/win_rate": "Win rate by the judge",
    "judge/length_controlled_win_rate": "Win rate by the judge, lengths alike",
  },
} as const;

/** What it measures on held-out pairs, by the KL there. */
const OF_DATA = {
  distance: "data/kl/initial",
  qualities: {
    "data/rewards_initial/accuracies": "Held-out reward accuracy",
    "data/rewards_initial/margins": "Held-out margin",
  },
} as const;

/** What `evaluate` measured of the policies: quality against KL, a point a group, and all of it as a table. */
export function evaluationSection(groups: readonly RunGroup[]): PageSection {
  const names = [
    ...new Set(groups.flatMap(({ runs }) => runs.flatMap(({ evaluation = {} }) => Object.keys(evaluation)))),
  ];
  const figures = [OF_SAMPLES, OF_DATA].flatMap(({ distance, qualities }) =>
    Object.entries(qualities).map(([name, title]) => qualityPlot(groups, { distance, name, title }))
  );
  const table = {
    title: "All that was measured",
    reading:
      "Numbers in brackets are 95 % bootstrap intervals: over records or answers for a single run, over seeds for several.",
    columns: ["measure", ...groups.map(({ name }) => name)],
    rows: names.map((name) => [name, ...groups.map((group) => describe(evaluated(group, name)))]),
  };
  return { heading: "Evaluations of the trained policies", figures, tables: [table] };
}

function qualityPlot(
  groups: readonly RunGroup[],
  { distance, name, title }: { distance: string; name: string; title: string },
): PlotOptions {
  return {
    title: `${title} over KL`,
    reading: "One point a setting, at the end of its runs: of two at equal KL the higher one is the better.",
    x: { label: "KL to the initial policy, nats", reach: [0] },
    y: { label: "" },
    series: groups.map((group, index) => {
      const [x, y] = [evaluated(group, distance), evaluated(group, name)];
      return {
        name: group.name,
        marks: "dots",
        points: x && y ? [{ x: x.mean, y: y.mean, low: y.low, high: y.high }] : [],
        ...appearanceOf(index),
      };
    }),
  };
}

/** A measurement of a group: a single run's own, or the mean over the seeds that have it. */
function evaluated({ runs }: RunGroup, name: string): Measurement | undefined {
  const found = runs.flatMap(({ evaluation }) => evaluation?.[name] ?? []);
  if (found.length < 2) return found[0];
  return summarize(found.map(({ mean }) => mean), { resamples: 10_000 });
}
