/**
 * Reading and writing an adapter's directory in PEFT's layout. This module does file I/O and uses `Deno.*`.
 *
 * @module
 */
import { type AdapterLayout, layoutAdapters } from "../lora/layout.ts";
import { adapterTensors, formatAdapterConfig, parseAdapterConfig } from "../lora/peft.ts";
import type { AdapterValues } from "../lora/values.ts";
import type { ModelParameter } from "../parameters.ts";
import { ADAPTER_FILES, type ModelDirectory, openModelDirectory } from "./directory.ts";
import { writeModelDirectory } from "./write_directory.ts";

/** An adapter's directory that fits a model. */
export interface AdapterDirectory extends Disposable {
  /** Its settings and where its tensors go. */
  readonly layout: AdapterLayout;
  /** Reads a tensor by its name in the file. */
  read: ModelDirectory["read"];
}

/**
 * Opens `adapter_config.json` and `adapter_model.safetensors` and checks them against a model.
 *
 * @param parameters The model's.
 * @throws If something is missing, malformed or unsupported, or the tensors are not those of the model's layers.
 */
export async function openAdapterDirectory(
  path: string,
  { parameters }: { parameters: readonly ModelParameter[] },
): Promise<AdapterDirectory> {
  const directory = await openModelDirectory(path, ADAPTER_FILES);
  try {
    const name = `${path}/${ADAPTER_FILES.config}`;
    const layout = layoutAdapters(parameters, parseAdapterConfig(directory.config, { name }));
    checkTensors(path, { directory, layout });
    return { layout, read: directory.read, [Symbol.dispose]: directory.close };
  } catch (error) {
    directory.close();
    throw error;
  }
}

function checkTensors(
  path: string,
  { directory: { tensors }, layout }: { directory: ModelDirectory; layout: AdapterLayout },
): void {
  const expected = adapterTensors(layout);
  for (const { name, shape } of expected) {
    const found = tensors.get(name)?.shape;
    if (found?.join() === shape.join()) continue;
    throw new Error(
      `${path}: ${name} is ${found ? `[${found.join(", ")}]` : "missing"}, and this model wants [${
        shape.join(", ")
      }]; the adapter is of another model or its config of another adapter`,
    );
  }
  const known = new Set(expected.map(({ name }) => name));
  const unknown = [...tensors.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new Error(`${path}: ${unknown} belongs to no layer that ${ADAPTER_FILES.config} names; correct it`);
  }
}

/**
 * Writes an adapter as a directory that PEFT loads; all of it is written beside `path` and renamed at the end.
 *
 * @param options.baseModel The model that it belongs to, as its `base_model_name_or_path`.
 * @param options.transposed Whether the model's matrices are stored [inputs, outputs]; default false.
 * @param options.copyFrom A directory whose tokenizer files are copied.
 */
export async function writeAdapterDirectory(
  path: string,
  options: {
    layout: AdapterLayout;
    tensors: readonly AdapterValues[];
    baseModel: string;
    transposed?: boolean;
    copyFrom?: string;
  },
): Promise<void> {
  const { layout, tensors, baseModel, transposed = false, copyFrom } = options;
  await writeModelDirectory(path, {
    config: formatAdapterConfig(layout, { baseModel, transposed }),
    tensors: tensors.map(({ name, shape, read }) => {
      let values: ReturnType<typeof read> | undefined;
      return {
        name,
        shape,
        read: async (offset, count) => (await (values ??= read())).slice(offset, offset + count),
      };
    }),
    dtype: "F32",
    files: ADAPTER_FILES,
    replace: true,
    ...(copyFrom === undefined ? {} : { copyFrom }),
  });
}
