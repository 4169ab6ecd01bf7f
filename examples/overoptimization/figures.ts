import type { PlotOptions, PlotPoint, PlotSeries } from "@tr/align/evaluation";
import { describeLoss, isMain, isSwept } from "./settings.ts";
import { referenceName, type SettingSummary } from "./summary.ts";

/** The least KL that is drawn, in nats. */
const LEAST_KL = 0.1;

/** A seed whose gold reward falls below this leaves the plot, which the others would be flat in. */
export const LEAST_GOLD = -2;

const GOLD_AXIS = { label: "gold reward" };
const KL_AXIS = { label: "KL to the policy at the start, nats", log: true };

/** Gold reward against KL, a plot for each loss and β, with frozen, soft and hard reference. */
export function goldAgainstKl(summaries: readonly SettingSummary[]): PlotOptions[] {
  const groups = Map.groupBy(
    summaries.filter(({ setting }) => isMain(setting)),
    ({ setting }) => describeLoss(setting),
  );
  return [...groups].map(([title, members]) => ({
    title,
    x: KL_AXIS,
    y: GOLD_AXIS,
    series: againstKl(members),
    levels: startLevel(members),
  }));
}

/** The same for the loss and β with which α and τ are swept: one plot for soft references, one for the others. */
export function sweepAgainstKl(summaries: readonly SettingSummary[]): PlotOptions[] {
  const swept = summaries.filter(({ setting }) => isSwept(setting));
  const frozen = swept.filter(({ setting }) => setting.reference.update === "frozen");
  const plot = (title: string, updates: readonly string[]): PlotOptions[] => {
    const members = swept.filter(({ setting }) => updates.includes(setting.reference.update));
    if (members.length === 0) return [];
    return [{
      title: `${describeLoss(members[0]!.setting)}, ${title}`,
      x: KL_AXIS,
      y: GOLD_AXIS,
      series: againstKl([...frozen, ...members]),
      levels: startLevel(members),
    }];
  };
  return [
    ...plot("soft references", ["soft"]),
    ...plot("hard and adaptive references", ["hard", "adaptive"]),
  ];
}

/** Gold reward over steps, a plot for each loss and β. */
export function goldOverSteps(summaries: readonly SettingSummary[]): PlotOptions[] {
  const groups = Map.groupBy(
    summaries.filter(({ setting }) => isMain(setting)),
    ({ setting }) => describeLoss(setting),
  );
  return [...groups].map(([title, members]) => ({
    title,
    x: { label: "optimizer step" },
    y: GOLD_AXIS,
    series: members.map((summary): PlotSeries => ({
      ...styleOf(summary),
      points: summary.curve.map(({ step, gold: { value, interval: [low, high] } }) => ({
        x: step,
        y: value,
        low,
        high,
      })),
    })),
  }));
}

/** The seeds' own ways, pale, below their mean at the same KL, which ends where the first seed does. */
function againstKl(members: readonly SettingSummary[]): PlotSeries[] {
  const seeds = members.flatMap((summary) =>
    summary.paths.map((points): PlotSeries => ({
      ...styleOf(summary),
      faint: true,
      // The start itself is at 0, which a logarithmic axis lacks.
      points: untilTooLow(
        points.filter(({ kl }) => kl >= LEAST_KL).map(({ kl, gold }) => ({ x: kl, y: gold })),
      ),
    }))
  );
  const means = members.map((summary): PlotSeries => ({
    ...styleOf(summary),
    points: summary.againstKl.map(({ kl, gold: { value, interval: [low, high] } }) => ({
      x: kl,
      y: value,
      low,
      high,
    })),
  }));
  return [...seeds, ...means];
}

/** A path up to where it falls below the plot. */
function untilTooLow(points: readonly PlotPoint[]): PlotPoint[] {
  const out = points.findIndex(({ y }) => y < LEAST_GOLD);
  if (out <= 0) return out === 0 ? [] : [...points];
  const [inside, outside] = [points[out - 1]!, points[out]!];
  // Straight as it is drawn: the axis of KL is logarithmic.
  const share = (inside.y - LEAST_GOLD) / (inside.y - outside.y);
  return [...points.slice(0, out), { x: inside.x * (outside.x / inside.x) ** share, y: LEAST_GOLD }];
}

function styleOf(summary: SettingSummary): Pick<PlotSeries, "name" | "dashed"> & { tone?: "plain" } {
  const isFrozen = summary.setting.reference.update === "frozen";
  return { name: referenceName(summary), ...(isFrozen ? { tone: "plain", dashed: true } : {}) };
}

function startLevel([first]: readonly SettingSummary[]) {
  return [{ y: first!.curve[0]!.gold.value, label: "policy at the start" }];
}
