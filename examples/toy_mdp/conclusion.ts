/** What came out, in two sentences that are made of the numbers. */
import type { CellSummary, Estimate } from "./summary.ts";

/** Smaller differences in probability are none, however surely the seeds agree on them. */
const LEAST_DIFFERENCE = 0.01;

/** An estimate as text: mean and interval. */
export function formatEstimate({ mean, low, high }: Estimate, digits = 2): string {
  return `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

/** Two sentences: what the frozen reference did, and what the moving ones changed. */
export function conclude(summaries: readonly CellSummary[]): string {
  const frozen = summaries.filter(({ reference }) => reference === "frozen");
  const grew = frozen.filter(({ oodGrowth }) => oodGrowth.low > 0);
  const moving = summaries.filter(({ oodAgainstFrozen }) => oodAgainstFrozen !== null);
  const matters = ({ mean }: Estimate) => Math.abs(mean) >= LEAST_DIFFERENCE;
  const less = moving.filter(({ oodAgainstFrozen: own }) => own!.high < 0 && matters(own!));
  const more = moving.filter(({ oodAgainstFrozen: own }) => own!.low > 0 && matters(own!));
  const runs = (own: readonly CellSummary[]) => own.reduce((sum, { curves }) => sum + curves.length, 0);
  const share = (own: readonly CellSummary[], count: (summary: CellSummary) => number) =>
    `${(100 * own.reduce((sum, summary) => sum + count(summary), 0) / Math.max(1, runs(own))).toFixed(0)} %`;
  return `With a frozen reference OOD mass grew in ${grew.length} of ${frozen.length} settings${
    listed(grew)
  }; the chosen probability fell and ended above its start in ${
    share(frozen, ({ recovered }) => recovered)
  } of runs ` +
    `and ended below 0.01 in ${share(frozen, ({ lost }) => lost)}. ` +
    `With a moving one it ended with less OOD mass than with the frozen one in ${less.length} of ${moving.length} ` +
    `comparisons${listed(less)}, with more in ${more.length}${
      listed(more)
    }, and with no clear difference in the other ${
      moving.length - less.length - more.length
    }; the chosen probability fell and ended above its start in ${
      share(moving, ({ recovered }) => recovered)
    } of ` +
    `runs and ended below 0.01 in ${share(moving, ({ lost }) => lost)}.`;
}

/** How many of some settings have which loss. */
function listed(summaries: readonly CellSummary[]): string {
  if (summaries.length === 0) return "";
  const byLoss = Map.groupBy(summaries, ({ loss }) => loss);
  return ` (${[...byLoss].map(([loss, own]) => `${loss} ${own.length}`).join(", ")})`;
}
