/**
 * Models in and out of files: safetensors, directories in Hugging Face layout, `config.json`.
 *
 * @module
 */
export { decodeToFloat32, encodeFromFloat32, type FloatType, isFloatType } from "./floats.ts";
export { type AdapterDirectory, openAdapterDirectory, writeAdapterDirectory } from "./adapter_directory.ts";
export {
  ADAPTER_FILES,
  type DirectoryFiles,
  MODEL_FILES,
  type ModelDirectory,
  openModelDirectory,
  type ReceiveChunk,
  TOKENIZER_FILES,
} from "./directory.ts";
export { type Config } from "./config_values.ts";
export { type RopeConfig, ropeInverseFrequencies, type RopeScaling } from "./rope.ts";
export { ELEMENT_BYTES, elementCount, type ElementType } from "./element_types.ts";
export {
  parseSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsFile,
  type SafetensorsHeader,
  safetensorsHeader,
  safetensorsHeaderSize,
} from "./safetensors.ts";
export { type TensorSource, writeModelDirectory, type WriteModelOptions } from "./write_directory.ts";
export { writeFileAtomic } from "./write_file.ts";
export { type ExportedGguf, exportGguf, type ExportGgufOptions } from "./gguf/export.ts";
export { ggufHeader, type GgufMetadata, type GgufTensorInfo, type GgufValue } from "./gguf/format.ts";
export { quantizeQ8_0 } from "./gguf/q8_0.ts";
export { type GgmlType } from "./gguf/tensor_types.ts";
export { ggufTokenizer, type GgufTokenizerOptions } from "./gguf/tokenizer.ts";
