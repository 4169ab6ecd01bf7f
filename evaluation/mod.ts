/**
 * What a trained policy is worth, and how to show it.
 *
 * @module
 */
export { compareRuns, type RunComparison } from "./compare.ts";
export type { ComparedRun, Measurement, RunGroup } from "./compare/types.ts";
export { renderPage } from "./page.ts";
export type { PageOptions, PageSection, PageTable } from "./page/types.ts";
export { type PanelOptions, renderPanels, renderPlot } from "./plot.ts";
export type { PlotAxis, PlotOptions, PlotPoint, PlotSeries, Tone } from "./plot/types.ts";
export { renderReport } from "./report.ts";
export type { MetricRow, Report, Sample } from "./report/types.ts";
export { bootstrapInterval, type BootstrapOptions, mean, standardError } from "./statistics.ts";
