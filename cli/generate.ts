/**
 * `deno task generate --model.path ./model --prompt "…"`: answers to prompts, as JSON lines.
 *
 * @module
 */
import { encodePrompt, type Prompt, readPrompts } from "../data/prompts.ts";
import { createParameters, layoutParameters, maximumSegmentBytes } from "../kernels/parameters.ts";
import type { Device } from "../kernels/device.ts";
import { generate as generateTokens } from "../models/generate.ts";
import { llamaParameters } from "../models/llama.ts";
import { uploadDirectory } from "../models/weights.ts";
import { resolveData } from "../hub/resolve.ts";
import { type LoadedModel, loadModel, stopTokens } from "../training/load.ts";
import { findModel, RECORD_EXTENSIONS } from "../training/sources.ts";
import { configHelp, type GenerateConfig, loadConfig } from "./config.ts";
import { openDevice } from "./device.ts";
import { withDownloads } from "./download_progress.ts";
import { runCommand } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { createLinesFile } from "./lines_file.ts";
import { createProgress } from "./progress.ts";

const HELP = `deno task generate [generate.yaml] [--key value …]

Answers one prompt (--prompt "…", the answer goes to standard output as text) or a file of prompts, one JSON object
{ "prompt": … } a line with text or messages ({ "prompt": …, "completion": … } a line comes out).
`;

/** Runs the command. */
export async function generate(args: readonly string[]): Promise<void> {
  const { file, overrides, switches } = parseFlags(args, { command: "generate", switches: [] });
  if (switches.help) {
    console.log(`${HELP}\n${configHelp("generate")}`);
    return;
  }
  const config = await loadConfig("generate", { file, overrides });
  const { prompt, data, output } = config;
  const { model, files } = await withDownloads(async (onEvent) => ({
    model: await findModel(config.model.path, { onEvent }),
    files: prompt === null
      ? await resolveData(data.prompts!, { onEvent, extensions: RECORD_EXTENSIONS })
      : { paths: [] },
  }));
  const prompts: Prompt[] = prompt === null
    ? (await Promise.all(files.paths.map(readPrompts))).flat()
    : [prompt];
  const single = prompt !== null && output.file === null;
  const lines = single ? null : await createLinesFile(output.file);
  const progress = createProgress();
  try {
    const completions = await answerPrompts(model.path, prompts, {
      ...config.generation,
      template: data.template,
      onProgress: (finished) => progress.update({ step: finished, total: prompts.length }),
    });
    progress.finish();
    if (lines === null) console.log(completions[0]);
    else prompts.forEach((prompt, i) => lines.write({ prompt, completion: completions[i] }));
    await lines?.finish();
  } finally {
    progress.finish();
    await lines?.abandon();
  }
}

/** How {@linkcode answerPrompts} draws answers. */
export type AnswerOptions = GenerateConfig["generation"] & {
  /** A chat template's file that wins over the model's own. */
  template?: string | null;
  /** Called as answers are finished, with their number. */
  onProgress?: (finished: number) => void;
};

/**
 * Answers prompts with the model of a directory.
 *
 * @returns One text a prompt, in order, without special tokens.
 */
export async function answerPrompts(
  path: string,
  prompts: readonly Prompt[],
  { template = null, onProgress, ...options }: AnswerOptions,
): Promise<string[]> {
  const model = await loadModel(path, { template });
  try {
    const device = await openDevice();
    try {
      return await answer(device, model, { prompts, options, onProgress });
    } finally {
      device.destroy();
    }
  } finally {
    model.directory.close();
  }
}

async function answer(
  device: Device,
  { config, tokenizer, directory }: LoadedModel,
  { prompts, options, onProgress }: {
    prompts: readonly Prompt[];
    options: GenerateConfig["generation"];
    onProgress: AnswerOptions["onProgress"];
  },
): Promise<string[]> {
  const parameters = llamaParameters(config);
  const layout = layoutParameters(parameters, { maximumBytes: maximumSegmentBytes(device) });
  const weights = await createParameters(device, { layout, label: "weights" });
  await uploadDirectory(device, weights, { directory, parameters });
  const { tokens } = await generateTokens(device, weights.tensors, {
    ...options,
    config,
    prompts: prompts.map((prompt) => encodePrompt(prompt, tokenizer)),
    stopTokens: stopTokens({ config, tokenizer }),
    ...(onProgress ? { onProgress: ({ finished }) => onProgress(finished) } : {}),
  });
  return tokens.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true }));
}

if (import.meta.main) await runCommand(() => generate(Deno.args));
