/**
 * Models: the transformer of several families as a pure function over tensors, weights in and out of Hugging Face files,
 * adapters, and generation.
 *
 * @module
 */
export * from "./files/mod.ts";
export type { FamilyName, ModelConfig } from "./config.ts";
export { modelParameters, parseModelConfig } from "./families/mod.ts";
export type { ModelParameter, ParameterPart, RowSlice, StoredParameter } from "./parameters.ts";
export { checkTensors, modelTensors, type TensorShape } from "./tensors.ts";
export {
  type Attend,
  attendWithin,
  type Checkpointing,
  finalNorm,
  isWindowed,
  outputHead,
  transformer,
  type TransformerInputs,
  type TransformerOptions,
  type Weights,
} from "./transformer.ts";
export { initialTensors } from "./initialize.ts";
export {
  type BatchInputOptions,
  type BatchInputs,
  batchInputs,
  type BatchSizes,
  type CompletionLogProbs,
  completionLogProbs,
  type OptionalInput,
} from "./log_probs.ts";
export { applyAdapters } from "./lora/apply.ts";
export {
  type AdaptedLayer,
  type AdaptedWeight,
  type AdapterLayout,
  adaptersOf,
  adapterSpecs,
  countTrained,
  layoutAdapters,
} from "./lora/layout.ts";
export { mergedTensors } from "./lora/merge.ts";
export { type AdapterTensor, adapterTensors, formatAdapterConfig, parseAdapterConfig } from "./lora/peft.ts";
export { ALL_LINEAR, type LoraScale, type LoraSettings } from "./lora/settings.ts";
export { type AdapterValues, adapterValues, initialAdapter, uploadAdapter } from "./lora/values.ts";
export { type RotaryTables, rotaryTables } from "./rotary_tables.ts";
export {
  type DeviceTensor,
  readBuffer,
  type ReadTensor,
  uploadDirectory,
  uploadWeights,
  weightTensors,
} from "./weights.ts";
export {
  type GeneratedToken,
  type Generation,
  type GenerationOptions,
  type GenerationProgress,
  type StopReason,
} from "./continue_prompts.ts";
export { createDecoder, type Decoder, type DecoderOptions, type LastToken, type Prefill } from "./decoder.ts";
export { createGenerator, generate, type GenerateOptions, type Generator } from "./generate.ts";
export { type PhiloxIndex, philoxUniform } from "./philox.ts";
export {
  sampleToken,
  type SamplingOptions,
  type TokenDistribution,
  tokenDistribution,
  tokenLogProb,
} from "./sample.ts";
