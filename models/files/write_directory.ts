/**
 * Writing a model directory in Hugging Face layout. This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { ADAPTER_FILES, type DirectoryFiles, MODEL_FILES, TOKENIZER_FILES } from "./directory.ts";
import { encodeFromFloat32, type FloatType } from "./floats.ts";
import { ELEMENT_BYTES, elementCount } from "./element_types.ts";
import { safetensorsHeader } from "./safetensors.ts";
import { partialPath, writeAll } from "./write_file.ts";

/** A tensor to be written, whose numbers are asked for piece by piece. */
export interface TensorSource {
  /** Its name in the file. */
  name: string;
  /** Its sizes, outermost first. */
  shape: readonly number[];
  /** Returns `count` numbers from index `offset` on, row-major. */
  read(offset: number, count: number): Promise<Float32Array<ArrayBuffer>>;
}

/** What {@linkcode writeModelDirectory} writes. */
export interface WriteModelOptions {
  /** The content of `config.json`; its element type is set to `dtype`. */
  config: Readonly<Record<string, unknown>>;
  /** The tensors, in the order in which they are to lie in the files. */
  tensors: Iterable<TensorSource> | AsyncIterable<TensorSource>;
  /** Element type of every tensor in the files. */
  dtype: FloatType;
  /** A model directory whose tokenizer files, chat template and `generation_config.json` are copied. */
  copyFrom?: string;
  /** Weights that take more bytes than this are split over several files; 5 GB when not given. */
  maxShardBytes?: number;
  /** Whether a model directory that is already at the path may be replaced, whole; otherwise that is an error. */
  replace?: boolean;
  /** Other names of the files, such as `ADAPTER_FILES`, whose config says nothing of the element type. */
  files?: DirectoryFiles;
}

const DTYPE_NAMES: Record<FloatType, string> = { F32: "float32", F16: "float16", BF16: "bfloat16" };
const WRITE_ELEMENTS = 1 << 22; // 16 MiB of float32 asked for at a time

/**
 * Writes a model as a directory that Hugging Face libraries load, holding one chunk of it in memory at a time.
 *
 * All of it is written beside `path` and renamed at the end: `path` never holds half a model.
 *
 * @param path the directory to make; its parent is made too
 * @throws {Error} if there is something at `path` that may not be replaced, two tensors have one name, a tensor's
 * `read` returns another count than asked for, or a file cannot be written
 *
 * @example
 * ```ts
 * import { openModelDirectory, writeModelDirectory } from "@tr/align/models";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/model`;
 * const values = new Float32Array([1, 2, 3]);
 * const read = (offset: number, count: number) => Promise.resolve(values.slice(offset, offset + count));
 * const tensors = [{ name: "weight", shape: [3], read }];
 * await writeModelDirectory(path, { config: { model_type: "llama" }, tensors, dtype: "BF16" });
 *
 * using model = await openModelDirectory(path);
 * assertEquals(model.config, { model_type: "llama", torch_dtype: "bfloat16" });
 * assertEquals(await model.read("weight"), values);
 * ```
 */
export async function writeModelDirectory(path: string, options: WriteModelOptions): Promise<void> {
  const { config, dtype, copyFrom, maxShardBytes = 5e9, replace = false, files = MODEL_FILES } = options;
  await checkReplaceable(path, { replace, files });
  const tensors = await Array.fromAsync(options.tensors);
  checkNamesDiffer(tensors);

  const partial = partialPath(path);
  await Deno.mkdir(partial, { recursive: true });
  try {
    const described = files === ADAPTER_FILES ? config : withDtype(config, DTYPE_NAMES[dtype]);
    await writeJson(`${partial}/${files.config}`, described);
    if (copyFrom !== undefined) await copyCompanions(copyFrom, partial);
    await writeWeights(partial, { shards: planShards(tensors, { dtype, maxShardBytes }), dtype, files });
    await moveInto(path, partial);
  } catch (error) {
    await Deno.remove(partial, { recursive: true }).catch(() => {});
    throw error;
  }
}

function withDtype(config: Readonly<Record<string, unknown>>, dtype: string): Record<string, unknown> {
  // transformers 5 writes `dtype` where versions before it write `torch_dtype`.
  return { ...config, torch_dtype: dtype, ...("dtype" in config ? { dtype } : {}) };
}

async function copyCompanions(source: string, target: string): Promise<void> {
  for (const name of [...TOKENIZER_FILES, "generation_config.json"]) {
    try {
      await Deno.copyFile(`${source}/${name}`, `${target}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

interface Shard {
  tensors: TensorSource[];
  bytes: number;
}

// As Hugging Face does it: in order, a new shard where the next tensor would make this one too large.
function planShards(
  tensors: readonly TensorSource[],
  { dtype, maxShardBytes }: { dtype: FloatType; maxShardBytes: number },
): Shard[] {
  let shard: Shard = { tensors: [], bytes: 0 };
  const shards = [shard];
  for (const tensor of tensors) {
    const bytes = elementCount(tensor.shape) * ELEMENT_BYTES[dtype];
    if (shard.tensors.length > 0 && shard.bytes + bytes > maxShardBytes) {
      shards.push(shard = { tensors: [], bytes: 0 });
    }
    shard.tensors.push(tensor);
    shard.bytes += bytes;
  }
  return shards;
}

async function writeWeights(
  path: string,
  { shards, dtype, files: { weights } }: {
    shards: readonly Shard[];
    dtype: FloatType;
    files: DirectoryFiles;
  },
): Promise<void> {
  if (shards.length === 1) return await writeShard(`${path}/${weights}.safetensors`, shards[0]!, dtype);
  const fiveDigits = (number: number) => String(number).padStart(5, "0");
  const weightMap: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const name = `${weights}-${fiveDigits(i + 1)}-of-${fiveDigits(shards.length)}.safetensors`;
    await writeShard(`${path}/${name}`, shard, dtype);
    for (const tensor of shard.tensors) weightMap[tensor.name] = name;
  }
  const totalSize = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
  await writeJson(`${path}/${weights}.safetensors.index.json`, index);
}

async function writeShard(path: string, { tensors }: Shard, dtype: FloatType): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  await writeAll(file, safetensorsHeader(tensors.map(({ name, shape }) => ({ name, dtype, shape }))));
  for (const tensor of tensors) {
    const size = elementCount(tensor.shape);
    for (let offset = 0; offset < size; offset += WRITE_ELEMENTS) {
      const count = Math.min(WRITE_ELEMENTS, size - offset);
      const values = await tensor.read(offset, count);
      if (values.length !== count) {
        throw new Error(
          `${path}: tensor ${tensor.name} gave ${values.length} numbers where ${count} were asked for`,
        );
      }
      await writeAll(file, encodeFromFloat32(values, dtype));
    }
  }
  await file.syncData();
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(value, null, 2) + "\n");
}

function checkNamesDiffer(tensors: readonly TensorSource[]): void {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw new Error(`Cannot write two tensors named ${name} into one model; rename one`);
    names.add(name);
  }
}

async function checkReplaceable(
  path: string,
  { replace, files }: { replace: boolean; files: DirectoryFiles },
): Promise<void> {
  let names: string[];
  try {
    names = (await Array.fromAsync(Deno.readDir(path))).map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new Error(`${path}: something that is not a directory is there; choose another path`);
  }
  if (names.length === 0) return;
  if (!names.includes(files.config)) {
    throw new Error(`${path}: the directory holds other things than a model; choose another path`);
  }
  if (!replace) {
    throw new Error(`${path}: a model is already there; choose another path, or allow it to be replaced`);
  }
}

async function moveInto(path: string, partial: string): Promise<void> {
  const old = partialPath(path);
  const wasThere = await Deno.rename(path, old).then(() => true, () => false);
  try {
    await Deno.rename(partial, path);
  } catch (error) {
    if (wasThere) await Deno.rename(old, path);
    throw error;
  }
  if (wasThere) await Deno.remove(old, { recursive: true });
}
