/**
 * `deno task generate --model.path ./model --prompt "…"`: answers to prompts, as JSON lines.
 *
 * @module
 */
import { encodePrompt, type Prompt, type PromptEntry, readPrompts } from "../data/prompts.ts";
import { createParameters, layoutParameters, maximumSegmentBytes } from "../kernels/parameters.ts";
import type { Device } from "../kernels/device.ts";
import { generate as generateTokens } from "../models/generate.ts";
import { modelParameters } from "../models/families/mod.ts";
import { writeFileAtomic } from "../models/files/write_file.ts";
import { resolveData } from "../hub/resolve.ts";
import { type LoadedModel, loadModel, stopTokens } from "../training/load.ts";
import { loadMerged } from "../training/lora.ts";
import { configHelp, type GenerateConfig, loadConfig } from "./config.ts";
import { openDevice } from "./device.ts";
import { findModel, RECORD_EXTENSIONS } from "../training/sources.ts";
import { withDownloads } from "./download_progress.ts";
import { formatAnswer } from "./answers_file.ts";
import { runCommand, UserError } from "./errors.ts";
import { parseFlags } from "./flags.ts";
import { createLinesFile } from "./lines_file.ts";
import { createProgress } from "./progress.ts";

const HELP = `deno task generate [generate.yaml] [--key value …]

Answers one prompt (--prompt "…", the answer goes to standard output as text) or a file of prompts, one JSON object
{ "prompt": … } a line with text or messages ({ "prompt": …, "completion": … } a line comes out). The question files of
AlpacaEval and Arena-Hard are read too, and with --output.format answers are written as their judges read them.
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
  const asked: PromptEntry[] = prompt === null
    ? (await Promise.all(files.paths.map(readPrompts))).flat()
    : [{ prompt, entry: { prompt } }];
  const prompts = asked.map(({ prompt }) => prompt);
  const { format } = output;
  const isArray = format === "alpaca_eval";
  const name = output.name ?? config.model.path.replace(/\/+$/, "").split("/").at(-1)!;
  const write = (completions: readonly Completion[]) =>
    asked.map((entry, index) =>
      formatAnswer({ ...entry, ...completions[index]! }, {
        format,
        model: name,
        time: Date.now() / 1000,
        index,
      })
    );
  // What the form lacks is found before an answer is drawn.
  write(asked.map(() => ({ completion: "", tokens: 0 })));
  const single = prompt !== null && output.file === null && format === "jsonl";
  const lines = single || isArray ? null : await createLinesFile(output.file);
  if (isArray && output.file !== null && await exists(output.file)) {
    throw new UserError(`${output.file}: a file is there already; choose another name for output.file`);
  }
  const progress = createProgress();
  try {
    const completions = await answerPrompts(model.path, prompts, {
      ...config.generation,
      template: data.template,
      adapter: config.model.adapter,
      onProgress: (finished) => progress.update({ step: finished, total: prompts.length }),
    });
    progress.finish();
    if (single) console.log(completions[0]!.completion);
    else if (isArray) await writeArray(output.file, write(completions));
    else write(completions).forEach((answer) => lines!.write(answer));
    await lines?.finish();
  } finally {
    progress.finish();
    await lines?.abandon();
  }
}

/** AlpacaEval's files are one array. */
async function writeArray(path: string | null, answers: readonly unknown[]): Promise<void> {
  const text = JSON.stringify(answers, null, 2) + "\n";
  if (path === null) console.log(text.trimEnd());
  else await writeFileAtomic(path, text);
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

/** An answer, and how many tokens it took. */
export interface Completion {
  /** The text, without special tokens. */
  readonly completion: string;
  /** Tokens. */
  readonly tokens: number;
}

/** How {@linkcode answerPrompts} draws answers. */
export type AnswerOptions = GenerateConfig["generation"] & {
  /** A chat template's file that wins over the model's own. */
  template?: string | null;
  /** Directory of a LoRA adapter to merge into the model. */
  adapter?: string | null;
  /** Called as answers are finished, with their number. */
  onProgress?: (finished: number) => void;
};

/**
 * Answers prompts with the model of a directory.
 *
 * @returns One answer a prompt, in order.
 */
export async function answerPrompts(
  path: string,
  prompts: readonly Prompt[],
  { template = null, adapter = null, onProgress, ...options }: AnswerOptions,
): Promise<Completion[]> {
  const model = await loadModel(path, { template });
  try {
    const device = await openDevice();
    try {
      return await answer(device, model, { prompts, options, adapter, onProgress });
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
  { prompts, options, adapter, onProgress }: {
    prompts: readonly Prompt[];
    adapter: string | null;
    options: GenerateConfig["generation"];
    onProgress: AnswerOptions["onProgress"];
  },
): Promise<Completion[]> {
  const parameters = modelParameters(config);
  const layout = layoutParameters(parameters, { maximumBytes: maximumSegmentBytes(device) });
  const weights = await createParameters(device, { layout, label: "weights" });
  await loadMerged(device, weights, { directory, adapter, parameters });
  const { tokens } = await generateTokens(device, weights, {
    ...options,
    config,
    prompts: prompts.map((prompt) => encodePrompt(prompt, tokenizer)),
    stopTokens: stopTokens({ config, tokenizer }),
    ...(onProgress ? { onProgress: ({ finished }) => onProgress(finished) } : {}),
  });
  return tokens.map((ids) => ({
    completion: tokenizer.decode(ids, { skipSpecialTokens: true }),
    tokens: ids.length,
  }));
}

if (import.meta.main) await runCommand(() => generate(Deno.args));
