/**
 * Training: everything composed. An {@linkcode Engine} holds a run's state on the device; {@linkcode trainSteps} is the
 * loop; {@linkcode prepareRun} and {@linkcode runTraining} carry out a whole run from files to files.
 *
 * @module
 */
export {
  type CheckpointHeader,
  listCheckpoints,
  loadCheckpoint,
  readCheckpointHeader,
  removePartial,
  saveCheckpoint,
  type SaveOptions,
} from "./checkpoint.ts";
export {
  type LoraRunSettings,
  type LossChanges,
  lossOf,
  type LossSettings,
  type RunConfig,
} from "./config.ts";
export {
  createEngine,
  type Engine,
  type EngineMemory,
  type EngineOptions,
  type EngineSets,
  type LoraOptions,
  type MicroBatch,
  type PolicyName,
} from "./engine.ts";
export { planEngine } from "./engine_memory.ts";
export { evaluate, type EvaluateOptions } from "./evaluate.ts";
export type { Examples } from "./examples.ts";
export { type LoadedModel, loadModel } from "./load.ts";
export {
  type LoadedFile,
  type LoadedRecords,
  type LoadOptions,
  loadRecords,
  loadRunRecords,
  type RunRecords,
} from "./load_records.ts";
export { type LoopEvent, type LoopOptions, type RunState, startOfRun, trainSteps } from "./loop.ts";
export {
  type BatchLogProbs,
  type Metrics,
  preferenceMetrics,
  type SequencesPerRecord,
  type TrainingLoss,
} from "./metrics.ts";
export {
  checkDirectory,
  claimDirectory,
  type DirectoryMode,
  type MetricsFile,
  openMetrics,
  type OutputDirectory,
  outputDirectory,
  readMetrics,
} from "./output.ts";
export { loadAdapter, loadMerged, type LoraPlan, planLora } from "./lora.ts";
export { type BatchPlan, type BatchPlanOptions, planBatches } from "./plan.ts";
export { loadWeights, type PreparedRun, type PrepareOptions, prepareRun } from "./prepare.ts";
export { completionExamples, pairExamples, type TrainingExample } from "./records.ts";
export {
  type CopySettings,
  type ReferenceSettings,
  strategyOf,
  type UpdateSpan,
} from "./reference_settings.ts";
export { type RunEvent, type RunOptions, runTraining } from "./run.ts";
export type { Sample } from "./samples.ts";
export {
  findModel,
  locateRecords,
  locateRun,
  RECORD_EXTENSIONS,
  type RecordedNames,
  type RunFiles,
  type RunNames,
  type RunSources,
} from "./sources.ts";
export type { ProgramKernelTime, StepProfile } from "./step_profile.ts";
export { learningRateAt, type ScheduleName, type ScheduleOptions } from "./schedule.ts";
export { type CompletionScore, type ScoreOptions, scoreRecords } from "./scorer.ts";
