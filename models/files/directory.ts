/**
 * Reading a model directory in Hugging Face layout: `config.json`, one or several safetensors files, and the
 * tokenizer's files. This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { decodeToFloat32, isFloatType } from "./floats.ts";
import { ELEMENT_BYTES, elementCount, type ElementType } from "./element_types.ts";
import { parseSafetensorsHeader, type SafetensorsEntry, safetensorsHeaderSize } from "./safetensors.ts";

/** A model directory whose headers have been read and checked, and whose weights are read on demand. */
export interface ModelDirectory extends Disposable {
  /** The directory. */
  readonly path: string;
  /** The parsed `config.json`. */
  readonly config: Record<string, unknown>;
  /** Every tensor of every weight file by name. */
  readonly tensors: ReadonlyMap<string, { dtype: ElementType; shape: number[] }>;
  /** Paths of the tokenizer files and chat templates that the directory holds. */
  readonly tokenizerFiles: string[];
  /**
   * Reads one whole tensor as float32, row-major.
   *
   * @throws {Error} if there is no such tensor, its type isn't F32, F16 or BF16, or the file has become shorter
   */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Reads one tensor piece by piece, so that the host holds `chunkElements` numbers at a time.
   *
   * `receive` gets the index of the first number and the numbers; these are overwritten once it is done.
   *
   * @throws {Error} as {@linkcode ModelDirectory.read} does, or if `chunkElements` is not a positive integer
   */
  readChunks(name: string, options: { chunkElements: number }, receive: ReceiveChunk): Promise<void>;
  /** Closes the files; a `using` declaration does so by itself. */
  close(): void;
}

/** What {@linkcode ModelDirectory.readChunks} hands the numbers to. */
export type ReceiveChunk = (offset: number, values: Float32Array<ArrayBuffer>) => void | Promise<void>;

/** Names of the files in which Hugging Face directories keep tokenizers and chat templates. */
export const TOKENIZER_FILES: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "tokenizer.model",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
];

/** Names of the files of a directory: its config, and its weights before `.safetensors`. */
export interface DirectoryFiles {
  /** The JSON file that describes the weights. */
  readonly config: string;
  /** `name.safetensors`, or `name.safetensors.index.json` and the files it names. */
  readonly weights: string;
}

/** A whole model. */
export const MODEL_FILES: DirectoryFiles = { config: "config.json", weights: "model" };

/** A LoRA adapter, as PEFT writes it. */
export const ADAPTER_FILES: DirectoryFiles = { config: "adapter_config.json", weights: "adapter_model" };

const READ_ELEMENTS = 1 << 22; // 16 MiB of float32 between two awaits

/**
 * Opens a model directory and checks that its weight files are complete; no weights are read yet.
 *
 * @param path a directory with `config.json` and either `model.safetensors` or
 * `model.safetensors.index.json` and the files it names
 * @param names other names of these files, such as {@linkcode ADAPTER_FILES}
 * @throws {Error} if one of these is missing or malformed, or if the weights are there only as PyTorch pickles
 */
export async function openModelDirectory(
  path: string,
  names: DirectoryFiles = MODEL_FILES,
): Promise<ModelDirectory> {
  const [what, layout] = names === ADAPTER_FILES ? ["an adapter", "PEFT's"] : ["a model", "Hugging Face"];
  if (!(await stat(path))?.isDirectory) {
    throw new Error(`${path}: there is no such directory; give the path of ${what} in ${layout} layout`);
  }
  if (!await stat(`${path}/${names.config}`)) {
    throw new Error(`${path}/${names.config}: there is no such file; is this the directory of ${what}?`);
  }
  const config = await readJson(`${path}/${names.config}`);
  const { files, tensors } = await openWeights(path, names);
  const visible = [...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);

  const readChunks: ModelDirectory["readChunks"] = async (name, { chunkElements }, receive) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${path}: the model has no tensor ${name}`);
    await readTensor(tensor, { label: `${path}: tensor ${name}`, chunkElements, receive });
  };
  const close = () => files.splice(0).forEach(({ handle }) => handle.close());
  return {
    path,
    config,
    tensors: new Map(visible),
    tokenizerFiles: await existing(TOKENIZER_FILES.map((name) => `${path}/${name}`)),
    readChunks,
    async read(name) {
      const values = new Float32Array(elementCount(tensors.get(name)?.shape ?? []));
      await readChunks(name, { chunkElements: READ_ELEMENTS }, (offset, chunk) => values.set(chunk, offset));
      return values;
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** An open weight file and the read that is under way in it: a file has one position, so reads take turns. */
interface WeightFile {
  path: string;
  handle: Deno.FsFile;
  turn: Promise<unknown>;
}

interface StoredTensor extends SafetensorsEntry {
  file: WeightFile;
}

async function openWeights(path: string, { weights }: DirectoryFiles) {
  const single = `${weights}.safetensors`;
  const index = await stat(`${path}/${single}`) ? undefined : await readIndex(path, single);
  const names = index ? [...new Set(Object.values(index))] : [single];
  const files: WeightFile[] = [];
  const tensors = new Map<string, StoredTensor>();
  try {
    for (const name of names) {
      const { file, entries } = await openWeightFile(`${path}/${name}`);
      files.push(file);
      for (const [tensor, entry] of entries) {
        if (!index || index[tensor] === name) tensors.set(tensor, { ...entry, file });
      }
    }
    for (const [tensor, name] of Object.entries(index ?? {})) {
      if (!tensors.has(tensor)) {
        throw new Error(`${path}/${name}: tensor ${tensor} is not in it, though ${indexOf(single)} says so`);
      }
    }
  } catch (error) {
    files.forEach(({ handle }) => handle.close());
    throw error;
  }
  return { files, tensors };
}

function indexOf(single: string): string {
  return `${single}.index.json`;
}

async function readIndex(path: string, single: string): Promise<Record<string, string>> {
  const index = indexOf(single);
  if (!await stat(`${path}/${index}`)) throw new Error(await whyNoWeights(path, single));
  const { weight_map: weightMap } = await readJson(`${path}/${index}`);
  const isMap = typeof weightMap === "object" && weightMap !== null && !Array.isArray(weightMap);
  if (!isMap || Object.values(weightMap).some((name) => typeof name !== "string" || /[/\\]/.test(name))) {
    throw new Error(`${path}/${index}: weight_map must give the name of a file here for every tensor`);
  }
  for (const name of new Set<string>(Object.values(weightMap))) {
    if (await stat(`${path}/${name}`)) continue;
    throw new Error(`${path}/${name}: this file, named by ${index}, is missing; fetch it too`);
  }
  return weightMap as Record<string, string>;
}

async function whyNoWeights(path: string, single: string): Promise<string> {
  const names = (await Array.fromAsync(Deno.readDir(path))).map((entry) => entry.name);
  const pickle = names.find((name) =>
    /^(pytorch|adapter)_model.*\.bin$/.test(name) || /\.(bin|pth?)$/.test(name)
  );
  if (!pickle) {
    return `${path}: neither ${single} nor ${indexOf(single)} is in this directory; fetch the weights`;
  }
  return `${path}: the weights are there only as a pickle (${pickle}), which can run code when it is read; ` +
    `convert it with save_pretrained(path, safe_serialization=True) of transformers`;
}

async function openWeightFile(path: string) {
  const handle = await Deno.open(path);
  const file: WeightFile = { path, handle, turn: Promise.resolve() };
  try {
    const description = { fileSize: (await handle.stat()).size, name: path };
    const start = new Uint8Array(Math.min(8, description.fileSize));
    await readAt(file, { position: 0, into: start });
    const header = new Uint8Array(safetensorsHeaderSize(start, description));
    await readAt(file, { position: 0, into: header });
    return { file, entries: parseSafetensorsHeader(header, description).tensors };
  } catch (error) {
    handle.close();
    throw error;
  }
}

async function readTensor(
  { file, dtype, shape, begin }: StoredTensor,
  { label, chunkElements, receive }: { label: string; chunkElements: number; receive: ReceiveChunk },
): Promise<void> {
  if (!isFloatType(dtype)) {
    throw new Error(`${label} is of type ${dtype}; only F32, F16 and BF16 can be read`);
  }
  if (!Number.isSafeInteger(chunkElements) || chunkElements < 1) {
    throw new Error(`${label}: chunkElements is ${chunkElements}; give a positive integer`);
  }
  const count = elementCount(shape);
  const bytes = new Uint8Array(Math.min(chunkElements, count) * ELEMENT_BYTES[dtype]);
  const values = new Float32Array(Math.min(chunkElements, count));
  for (let offset = 0; offset < count; offset += chunkElements) {
    const length = Math.min(chunkElements, count - offset);
    const chunk = bytes.subarray(0, length * ELEMENT_BYTES[dtype]);
    await readAt(file, { position: begin + offset * ELEMENT_BYTES[dtype], into: chunk });
    await receive(offset, decodeToFloat32(chunk, dtype, { into: values.subarray(0, length) }));
  }
}

function readAt(file: WeightFile, { position, into }: { position: number; into: Uint8Array }): Promise<void> {
  const turn = file.turn.then(async () => {
    await file.handle.seek(position, Deno.SeekMode.Start);
    for (let filled = 0; filled < into.length;) {
      const read = await file.handle.read(into.subarray(filled));
      if (read === null) throw new Error(`${file.path}: the file has become shorter since it was opened`);
      filled += read;
    }
  });
  file.turn = turn.catch(() => {}); // a failed read is its caller's matter, the next one starts afresh
  return turn;
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new Error(`${path}: this is not valid JSON; correct it or fetch it again`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${path}: a JSON object was expected; correct it or fetch it again`);
  }
  return value as Record<string, unknown>;
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map(stat));
  return paths.filter((_, i) => found[i]?.isFile);
}

async function stat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
