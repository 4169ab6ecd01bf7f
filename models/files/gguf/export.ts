/**
 * Writing a model directory as one GGUF file. This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import type { ModelDirectory } from "../directory.ts";
import { elementCount } from "../element_types.ts";
import { checkTensorShapes } from "../../tensors.ts";
import { partialPath, writeAll } from "../write_file.ts";
import { describeModel, type GgufModel, type TensorMapping } from "./family.ts";
import { GGUF_ALIGNMENT, ggufHeader, type GgufMetadata, ggufPadding, type GgufTensorInfo } from "./format.ts";
import { encodeGgml, GGML_TYPES, ggmlBytes, type GgmlType, storedType } from "./tensor_types.ts";
import { ggufTokenizer } from "./tokenizer.ts";

/** What {@linkcode exportGguf} writes. */
export interface ExportGgufOptions {
  /** Path of the file. */
  file: string;
  /** Type of the matrices; vectors stay F32. F16 when not given. */
  type?: GgmlType;
  /** What the file calls the model; the name of its directory when not given. */
  name?: string;
  /** Text of a chat template that replaces the model's own. */
  chatTemplate?: string | null;
  /** Whether a file that is already there may be replaced; otherwise that is an error. */
  overwrite?: boolean;
  /** Called after each tensor with the number of those that are written. */
  onProgress?: (written: { tensors: number; of: number }) => void;
}

/** What {@linkcode exportGguf} wrote. */
export interface ExportedGguf {
  /** Size of the file in bytes. */
  bytes: number;
  /** Number of tensors of each type. */
  tensors: Readonly<Partial<Record<GgmlType, number>>>;
  /** What llama.cpp does otherwise than the model's own code, a sentence each; usually none. */
  notes: readonly string[];
}

const CHUNK_ELEMENTS = 1 << 20; // 4 MiB of float32 at a time

/**
 * Writes a model as a GGUF file that llama.cpp runs: weights, hyperparameters, tokenizer and chat template.
 *
 * Weights are read, converted and written a chunk at a time; tensors that must be transposed or taken apart
 * (GPT-2's, and the fused projection of GPT-NeoX) are held whole, one after another. The file is written under
 * another name and renamed at the end.
 *
 * @param directory an open model directory of a Llama, Mistral, Qwen 2, GPT-2 or GPT-NeoX model
 * @throws {Error} if the family or tokenizer is one that llama.cpp can't run, tensors are missing or unknown, or
 * there is already a file at the path
 */
export async function exportGguf(
  directory: ModelDirectory,
  options: ExportGgufOptions,
): Promise<ExportedGguf> {
  const { file, type = "F16", overwrite = false, onProgress } = options;
  if (!overwrite && await exists(file)) {
    throw new Error(
      `${file}: a file is there already; choose another name, or allow it to be replaced (--overwrite)`,
    );
  }
  const tensorNames = new Set(directory.tensors.keys());
  const model = describeModel(directory.config, { name: `${directory.path}/config.json`, tensorNames });
  checkModelTensors(model, directory);
  const tokenizer = ggufTokenizer({
    ...await readTokenizerFiles(directory.path),
    ...(options.chatTemplate ? { chatTemplate: options.chatTemplate } : {}),
    vocabularySize: model.vocabularySize,
    eosTokenIds: model.eosTokenIds,
  });
  const infos = [
    ...model.computed.map(({ target, values }) => ({
      name: target,
      shape: [values.length],
      type: "F32" as const,
    })),
    ...model.tensors.map((mapping) => tensorInfo(mapping, type)),
  ];
  const metadata: GgufMetadata = {
    "general.architecture": model.architecture,
    "general.type": "model",
    "general.name": options.name ?? directoryName(directory.path),
    "general.file_type": { uint32: GGML_TYPES[type].fileType },
    "general.alignment": { uint32: GGUF_ALIGNMENT },
    ...(type === "Q8_0" ? { "general.quantization_version": { uint32: 2 } } : {}),
    ...prefixed(model.hyperparameters, model.architecture),
    ...tokenizer.metadata,
  };
  const bytes = await writeGguf(file, { directory, model, infos, metadata, onProgress });
  const fallbacks = infos.filter((info) => type === "Q8_0" && info.type === "F16").map(({ name }) => name);
  return {
    bytes,
    tensors: countTypes(infos),
    notes: [...model.notes, ...tokenizer.notes, ...fallbackNotes(fallbacks)],
  };
}

function checkModelTensors(model: GgufModel, { tensors, path }: ModelDirectory): void {
  const expected = model.tensors.map(({ source, shape }) => ({ name: source, shape }));
  checkTensorShapes(expected, tensors, { name: path, isBuffer: model.isBuffer });
}

function tensorInfo({ target, shape, rearrangement, exact }: TensorMapping, type: GgmlType): GgufTensorInfo {
  const written = rearrangement?.shape ?? shape;
  return { name: target, shape: written, type: exact ? "F32" : storedType(written, type) };
}

async function writeGguf(
  path: string,
  { directory, model, infos, metadata, onProgress }: {
    directory: ModelDirectory;
    model: GgufModel;
    infos: readonly GgufTensorInfo[];
    metadata: GgufMetadata;
    onProgress: ExportGgufOptions["onProgress"];
  },
): Promise<number> {
  const header = ggufHeader(metadata, infos);
  const partial = partialPath(path);
  let bytes = header.length;
  try {
    using file = await Deno.open(partial, { write: true, createNew: true });
    await writeAll(file, header);
    for (const [i, { type, shape }] of infos.entries()) {
      const computed = model.computed[i];
      if (computed) await writeAll(file, encodeGgml(computed.values, type));
      else await writeTensor(file, { directory, mapping: model.tensors[i - model.computed.length]!, type });
      const length = ggmlBytes(elementCount(shape), type);
      await writeAll(file, new Uint8Array(ggufPadding(length)));
      bytes += length + ggufPadding(length);
      onProgress?.({ tensors: i + 1, of: infos.length });
    }
    await file.syncData();
    await Deno.rename(partial, path);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`${path}: cannot write here: ${error.message}`, { cause: error });
  }
  return bytes;
}

async function writeTensor(
  file: Deno.FsFile,
  { directory, mapping, type }: { directory: ModelDirectory; mapping: TensorMapping; type: GgmlType },
): Promise<void> {
  const { source, shape, rearrangement } = mapping;
  // Whole rows make whole blocks.
  const unit = rearrangement?.unit ?? shape.at(-1)!;
  const chunkElements = Math.max(1, Math.floor(CHUNK_ELEMENTS / unit)) * unit;
  await directory.readChunks(source, { chunkElements }, async (_, values) => {
    await writeAll(file, encodeGgml(rearrangement?.apply(values) ?? values, type));
  });
}

async function readTokenizerFiles(path: string) {
  const [tokenizerJson, tokenizerConfig, chatTemplate] = await Promise.all([
    readJson(`${path}/tokenizer.json`),
    readJson(`${path}/tokenizer_config.json`),
    readText(`${path}/chat_template.jinja`),
  ]);
  return { tokenizerJson, tokenizerConfig, chatTemplate };
}

async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  if (text === null) throw new Error(`${path}: there is no such file; a GGUF file holds the tokenizer too`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: this is not valid JSON; correct it or fetch it again`, { cause });
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function prefixed(metadata: GgufMetadata, architecture: string): GgufMetadata {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [`${architecture}.${key}`, value]),
  );
}

function directoryName(path: string): string {
  const parts = path.split(/[/\\]+/).filter((part) => part !== "" && part !== ".");
  // A run keeps its model in a directory called `model`, which says nothing.
  return parts.findLast((part) => part !== "model" && part !== "..") ?? "model";
}

function countTypes(infos: readonly GgufTensorInfo[]): Partial<Record<GgmlType, number>> {
  const counts: Partial<Record<GgmlType, number>> = {};
  for (const { type } of infos) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

function fallbackNotes(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  return [
    `${names.length} matrices whose rows are not a multiple of 32 long are F16 instead of Q8_0, ${
      names[0]
    } ` +
    `among them`,
  ];
}
