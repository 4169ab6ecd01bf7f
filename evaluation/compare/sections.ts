import type { PageSection } from "../page/types.ts";
import { TONES } from "../plot/theme.ts";
import type { PlotOptions, PlotSeries } from "../plot/types.ts";
import { type Curve, type Figure, FIGURE_GROUPS } from "../report/figures.ts";
import { pointsOf } from "../report/points.ts";
import { curveOf, pathOf } from "./curves.ts";
import type { RunGroup } from "./types.ts";

/** Held-out metrics that a comparison draws against KL. */
const QUALITIES = [
  {
    metric: "eval_rewards_initial/accuracies",
    title: "Held-out reward accuracy over KL",
    label: "accuracy",
    reach: [0.5, 1],
    // Before the first step all rewards are 0, and no pair counts as won.
    isMeasured: (kl: number) => kl > 0,
  },
  {
    metric: "eval_rewards_initial/margins",
    title: "Held-out margin over KL",
    label: "margin",
    reach: [0],
    isMeasured: () => true,
  },
  {
    metric: "eval_logps/chosen",
    title: "Held-out chosen log-prob over KL",
    label: "log-prob, nats",
    reach: [],
    isMeasured: () => true,
  },
] as const;

/** How every group looks in all figures: where colours come again, they are dashed every second time round. */
export function appearanceOf(index: number): Pick<PlotSeries, "tone" | "dashed"> {
  return {
    tone: TONES[index % TONES.length]!,
    dashed: Math.floor(index / TONES.length) % 2 === 1,
  };
}

/** Quality against KL: each evaluation of a run is a point, joined in the order of steps. */
export function qualitySection(groups: readonly RunGroup[]): PageSection {
  const figures = QUALITIES.map(({ metric, title, label, reach, isMeasured }): PlotOptions => ({
    title,
    reading:
      "Each dot is an evaluation, joined in the order of steps: at equal KL the higher curve has bought more with the " +
      "same distance from the initial policy, and a curve that bends down has gone too far.",
    x: { label: "KL to the initial reference, nats", reach: [0] },
    y: { label, reach },
    series: groups.map((group, index) => ({
      name: group.name,
      marks: "both",
      points: pathOf(group, { x: "eval_kl/initial", y: metric }).filter(({ x }) => isMeasured(x)),
      ...appearanceOf(index),
    })),
  }));
  return { heading: "What quality costs", figures };
}

/** Every figure of a report, one metric each, with the groups' curves over each other. */
export function curveSections(groups: readonly RunGroup[]): PageSection[] {
  return FIGURE_GROUPS.map(({ heading, figures }) => ({
    heading,
    figures: figures.flat().flatMap((figure) =>
      figure.curves.flatMap((curve) => overlay(groups, figure, curve))
    ),
  }));
}

/** The metrics that a comparison can draw for all of the groups. */
export function commonMetrics(groups: readonly RunGroup[]): string[] {
  return FIGURE_GROUPS.flatMap(({ figures }) => figures.flat()).flatMap(({ curves }) => curves)
    .map(({ metric }) => metric)
    .filter((metric) =>
      groups.every(({ runs }) => runs.every(({ metrics }) => pointsOf(metrics, metric).length > 0))
    );
}

/** One metric of all groups that have it; nothing where fewer than two do, or where it is the same in all of them. */
function overlay(groups: readonly RunGroup[], figure: Figure, curve: Curve): PlotOptions[] {
  const series = groups.map((group, index) => ({
    name: group.name,
    points: curveOf(group, curve.metric),
    ...(curve.heldOut ? { marks: "both" as const } : {}),
    ...appearanceOf(index),
  }));
  const drawn = series.filter(({ points }) => points.length > 0);
  const isSame = drawn.every(({ points }) => JSON.stringify(points) === JSON.stringify(drawn[0]!.points));
  if (drawn.length === 0 || (groups.length > 1 && (drawn.length < 2 || isSame))) return [];
  return [{
    title: figure.curves.length > 1 ? `${figure.title}: ${curve.label}` : figure.title,
    reading: figure.reading,
    x: { label: "step" },
    y: { label: "", reach: figure.reach ?? [] },
    series,
  }];
}
