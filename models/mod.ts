/**
 * Models: Llama as a pure function over tensors, its weights in and out of Hugging Face files, and generation.
 *
 * @module
 */
export * from "./files/mod.ts";
export {
  type Attend,
  attendWithin,
  type FusedParameter,
  llama,
  llamaFinalNorm,
  llamaHead,
  type LlamaInputs,
  llamaParameters,
  type Weights,
} from "./llama.ts";
export { initialTensors } from "./initialize.ts";
export {
  type BatchInputs,
  batchInputs,
  type BatchSizes,
  type CompletionLogProbs,
  completionLogProbs,
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
export { rotaryTables } from "./rotary_tables.ts";
export {
  type DeviceTensor,
  readBuffer,
  type ReadTensor,
  type StoredParameter,
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
