/**
 * `deno task export --model.path ./model --output.file model.gguf`: a model as one file for llama.cpp.
 *
 * @module
 */
import { openModelDirectory } from "../models/files/directory.ts";
import { exportGguf } from "../models/files/gguf/export.ts";
import type { GgmlType } from "../models/files/gguf/tensor_types.ts";
import { configHelp, type ExportConfig, loadConfig } from "./config.ts";
import { runCommand, UserError } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { formatBytes } from "./format.ts";
import { createProgress } from "./progress.ts";

const HELP = `deno task export [export.yaml] [--key value …] [--overwrite]

Writes a model with its tokenizer and chat template as one GGUF file, which llama.cpp and programs built on it run.
What these compute otherwise than the model's own code does is listed afterwards.

  --overwrite
      Replaces the file, if there is one.
`;

const TYPES: Readonly<Record<ExportConfig["output"]["type"], GgmlType>> = {
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
  q8_0: "Q8_0",
};

/** Runs the command. */
export async function exportModel(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, { command: "export", switches: ["overwrite"] });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("export")}`);
    return;
  }
  const { model, data, output } = await loadConfig("export", { file, overrides });
  const chatTemplate = data.template === null ? null : await readTemplate(data.template);
  using directory = await openModelDirectory(model.path);
  const progress = createProgress();
  try {
    const { bytes, tensors, notes } = await exportGguf(directory, {
      file: output.file,
      type: TYPES[output.type],
      chatTemplate,
      overwrite: switches.overwrite,
      ...(output.name === null ? {} : { name: output.name }),
      onProgress: ({ tensors, of }) => progress.update({ step: tensors, total: of }),
    });
    progress.finish();
    const counts = Object.entries(tensors).map(([type, count]) => `${count} in ${type}`).join(", ");
    console.log(`${output.file}: ${formatBytes(bytes)}, tensors: ${counts}`);
    for (const note of notes) console.log(`Note: ${note}.`);
  } finally {
    progress.finish();
  }
}

async function readTemplate(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    throw new UserError(`data.template: cannot read ${path}: ${reason}`, { cause });
  }
}

if (import.meta.main) await runCommand(() => exportModel(Deno.args));
