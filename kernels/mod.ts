/**
 * Everything that knows WebGPU: the device, tensors, the graph and the program it compiles to, and one file for each
 * operation with its WGSL and its gradient.
 *
 * @module
 */
export { type Adapter, type AdapterPart, mergedWeight } from "./adapter.ts";
export { add } from "./add.ts";
export { type Block, block } from "./block.ts";
export { columnSums } from "./column_sums.ts";
export {
  attention,
  type AttentionKernels,
  type AttentionOptions,
  type HeadShape,
  subgroupAttention,
  tiledAttention,
} from "./attention.ts";
export {
  cachedAttention,
  type CachedAttentionOptions,
  type CachedAttentionVariant,
} from "./cached_attention.ts";
export {
  createDevice,
  createStorage,
  type Device,
  type DeviceCounters,
  maximumBindingBytes,
  requestDevice,
} from "./device.ts";
export { checkpoint } from "./checkpoint.ts";
export { lookUp, type RowLists } from "./embedding.ts";
export {
  type Access,
  backward,
  createGraph,
  differentiate,
  type Dispatch,
  dispatch,
  type GradientRule,
  type Gradients,
  type Graph,
  input,
  type Kernel,
  needsGradient,
  output,
  temporary,
  type Uniform,
} from "./graph.ts";
export { gelu, type GeluOptions } from "./gelu.ts";
export { headNorm, type HeadNormOptions } from "./head_norm.ts";
export { layerNorm } from "./layer_norm.ts";
export type { TiledAttention } from "./attention_tile.ts";
export { linear, type LinearWeights } from "./linear.ts";
export { matmul, type MatmulOptions, type PlusOptions } from "./matmul.ts";
export type { MatmulTuning } from "./matmul_choice.ts";
export type { TileName } from "./matmul_tiled.ts";
export type { LaneVariant, MatmulVariant, TileVariant } from "./matmul_variants.ts";
export { adamw, type AdamwOptions, gradientNorm, mixAverage, mixParameters } from "./optimizer.ts";
export {
  clearParameters,
  copyParameters,
  createParameters,
  layoutParameters,
  maximumSegmentBytes,
  type ParameterLayout,
  type ParameterPiece,
  type ParameterSet,
  type ParameterSpec,
} from "./parameters.ts";
export {
  type LossFormula,
  mismatchedTerms,
  preferenceLoss,
  type PreferenceLossInputs,
} from "./preference_loss.ts";
export { type KernelTime, profile, sumByKernel } from "./profile.ts";
export {
  compile,
  type Launch,
  type PendingRun,
  planPrograms,
  type Program,
  type ProgramMemory,
  type ProgramOutputs,
} from "./program.ts";
export {
  checkRecordable,
  type HostEvent,
  type OngoingRecording,
  type RecordedLaunch,
  type Recorder,
  type Recording,
  startRecording,
} from "./recorder.ts";
export { rmsNorm } from "./rms_norm.ts";
export { rotary, type RotaryOptions } from "./rotary.ts";
export { sequenceSums } from "./sequence_sums.ts";
export { takeSnapshot } from "./snapshot.ts";
export { type Submission, submitTogether } from "./submission.ts";
export { swiglu } from "./swiglu.ts";
export {
  bytesOf,
  type DType,
  externalTensor,
  reshape,
  rows,
  sizeOf,
  type Storage,
  type Tensor,
} from "./tensor.ts";
export { type TraceEvent, type TraceFile, traceOf } from "./trace.ts";
export { type TokenLogProbs, tokenLogProbs, type TokenLogProbsOptions } from "./token_log_probs.ts";
