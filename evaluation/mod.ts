/**
 * What a trained policy is worth, and how to show it.
 *
 * @module
 */
export { renderPage } from "./page.ts";
export type { PageOptions, PageSection, PageTable } from "./page/types.ts";
export { type PanelOptions, renderPanels, renderPlot } from "./plot.ts";
export type { PlotAxis, PlotOptions, PlotPoint, PlotSeries, Tone } from "./plot/types.ts";
export type { BleuSmoothing } from "./bleu.ts";
export { compareCompletions, type ComparedCompletion, type CompareOptions } from "./compare_completions.ts";
export { distinctN, selfBleu, type SelfBleuOptions } from "./diversity.ts";
export { type Estimate, estimate, estimateDifference, estimateRatio } from "./estimate.ts";
export { type LengthOptions, type Lengths, type LengthUnit, measureLengths } from "./length.ts";
export {
  measureDivergences,
  measurePairs,
  measurePerplexity,
  type Measures,
  type PairOptions,
} from "./preferences.ts";
export { longestRun, repeatedShare } from "./repetition.ts";
export { renderReport } from "./report.ts";
export { openRewardModel, type RewardModel, type RewardOptions, scoreRewards } from "./reward_model.ts";
export type { MetricRow, Report, Sample } from "./report/types.ts";
export {
  bootstrapInterval,
  type BootstrapOptions,
  bootstrapStatistic,
  type Interval,
  mean,
  standardError,
} from "./statistics.ts";
export { countOutcomes, type Outcome, type WinRate, winRate } from "./win_rate.ts";
export { splitWords, type Words } from "./words.ts";
