/**
 * What a trained policy is worth, and how to show it.
 *
 * @module
 */
export { renderReport } from "./report.ts";
export type { MetricRow, Report, Sample } from "./report/types.ts";
export { bootstrapInterval, type BootstrapOptions, mean, standardError } from "./statistics.ts";
