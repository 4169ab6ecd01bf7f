/**
 * What a trained policy is worth, and how to show it.
 *
 * @module
 */
export { type Answer, measureAnswers } from "./answers.ts";
export type { BleuSmoothing } from "./bleu.ts";
export { compareCompletions, type ComparedCompletion, type CompareOptions } from "./compare_completions.ts";
export { distinctN, estimateDistinctN, selfBleu, type SelfBleuOptions } from "./diversity.ts";
export { type Estimate, estimate, estimateDifference, estimateRatio } from "./estimate.ts";
export { type Ask, type ChatOptions, createChatClient } from "./judge/chat_client.ts";
export { judgeMatches, type Judgement, type JudgeOptions, type Match } from "./judge/judge.ts";
export { lengthControlledWinRate, type LengthOutcome } from "./judge/length_control.ts";
export { type JudgeMeasures, measureJudgements } from "./judge/measure.ts";
export type { Clock } from "./judge/pace.ts";
export {
  DEFAULT_JUDGE_PROMPT,
  parseJudgePrompt,
  parseVerdict,
  type Question,
  type Verdict,
  type WriteQuestion,
} from "./judge/prompt.ts";
export { openReplies, type ReplyFile } from "./judge/reply_file.ts";
export { type LengthOptions, type Lengths, type LengthUnit, measureLengths } from "./length.ts";
export {
  measureDivergences,
  measurePairs,
  measurePerplexity,
  type Measures,
  type PairOptions,
} from "./preferences.ts";
export { longestRun, repeatedShare } from "./repetition.ts";
export { compareRuns, type RunComparison } from "./compare.ts";
export type { ComparedRun, Measurement, RunGroup } from "./compare/types.ts";
export { renderPage } from "./page.ts";
export type { PageOptions, PageSection, PageTable } from "./page/types.ts";
export { type PanelOptions, renderPanels, renderPlot } from "./plot.ts";
export type { PlotAxis, PlotOptions, PlotPoint, PlotSeries, Tone } from "./plot/types.ts";
export { renderReport } from "./report.ts";
export { openRewardModel, type RewardModel, type RewardOptions, scoreRewards } from "./reward_model.ts";
export { encodeForReward } from "./reward_texts.ts";
export { measureScores, type Scores } from "./scores.ts";
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
