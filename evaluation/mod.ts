/**
 * What a trained policy is worth, and how to show it.
 *
 * @module
 */
export type { BleuSmoothing } from "./bleu.ts";
export { distinctN, selfBleu, type SelfBleuOptions } from "./diversity.ts";
export { type Estimate, estimate, estimateDifference, estimateRatio } from "./estimate.ts";
export { type LengthOptions, type Lengths, type LengthUnit, measureLengths } from "./length.ts";
export { longestRun, repeatedShare } from "./repetition.ts";
export { renderReport } from "./report.ts";
export type { MetricRow, Report, Sample } from "./report/types.ts";
export {
  bootstrapInterval,
  type BootstrapOptions,
  bootstrapStatistic,
  type Interval,
  mean,
  standardError,
} from "./statistics.ts";
export { splitWords, type Words } from "./words.ts";
