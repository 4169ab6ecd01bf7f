/** The quick start: a small model made from nothing, taught to speak, then aligned; the same code as a real run. */
import { type GoldScore, goldScore, writeQuickStart } from "../examples/quick_start/mod.ts";
import { parseModelConfig } from "../models/families/mod.ts";
import { writeModelDirectory } from "../models/files/write_directory.ts";
import { initialTensors } from "../models/initialize.ts";
import { carryOut, printResult } from "./carry_out.ts";
import { parseConfig } from "./config.ts";
import { UserError } from "./errors.ts";
import { answerPrompts } from "./generate.ts";

/** Where the quick start writes. */
const DIRECTORY = "runs/quick_start";

/** Held-out prompts that are answered to measure the result. */
const MEASURED_PROMPTS = 100;

/** Writes data and an untrained model, fine-tunes it, aligns it with TR-DPO, and shows what changed. */
export async function quickStart(): Promise<void> {
  if (await isUsed(DIRECTORY)) {
    throw new UserError(`${DIRECTORY}: a former quick start is there; remove it to run another`);
  }
  console.log("Quick start: a model of 149,000 parameters learns to answer, then to answer kindly.\n");
  const paths = await writeQuickStart(`${DIRECTORY}/data`);
  const untrained = `${DIRECTORY}/untrained`;
  const json = JSON.parse(await Deno.readTextFile(`${paths.model}/config.json`));
  const config = parseModelConfig(json, { name: `${paths.model}/config.json` });
  await writeModelDirectory(untrained, {
    config: json,
    tensors: initialTensors(config, { seed: 0, deviation: 0.125 }),
    dtype: "F32",
    copyFrom: paths.model,
  });

  console.log("1. Supervised fine-tuning on kind and curt answers alike\n");
  const fineTuned = await carryOut(
    parseConfig("sft", {
      name: "quick start",
      yaml: `
model: { path: ${untrained} }
data: { train: ${paths.supervised}, max_length: 64 }
training: { steps: 500, batch_size: 16, learning_rate: 1e-2, schedule: cosine, warmup: 30 }
output: { directory: ${DIRECTORY}/sft, save_every: 0, eval_every: 0, samples: 1, sample_tokens: 32 }
`,
    }),
    {},
  );
  if (fineTuned === null) return;

  console.log("\n2. TR-DPO: prefer kind answers, with a reference that follows the policy\n");
  const aligned = await carryOut(
    parseConfig("train", {
      name: "quick start",
      yaml: `
model: { path: ${fineTuned.output.model} }
data: { train: ${paths.preferences}, eval: ${paths.heldOut}, max_length: 64 }
loss: { type: dpo, beta: 0.5 }
reference: { update: soft, alpha: 0.6, every: 32 }
training: { steps: 187, batch_size: 8, learning_rate: 8e-5, schedule: cosine, warmup: 10 }
output: { directory: ${DIRECTORY}/tr_dpo, save_every: 50, eval_every: 50, samples: 6, sample_tokens: 32 }
`,
    }),
    {},
  );
  if (aligned === null) return;

  const prompts = (await Deno.readTextFile(paths.heldOut)).trim().split("\n").slice(0, MEASURED_PROMPTS)
    .map((line) => JSON.parse(line).prompt as string);
  const measure = async (model: string): Promise<GoldScore> => {
    const answers = await answerPrompts(model, prompts, {
      maxTokens: 32,
      temperature: 1,
      topK: null,
      topP: null,
      seed: 1,
    });
    return goldScore(prompts.map((prompt, i) => ({ prompt, completion: answers[i]!.completion })));
  };
  const [before, after] = [await measure(fineTuned.output.model), await measure(aligned.output.model)];
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  console.log(`\nAnswers to ${prompts.length} prompts that were held out:`);
  for (const verdict of ["kind", "curt", "garbled"] as const) {
    console.log(
      `  ${verdict.padEnd(8)} ${percent(before[verdict]).padStart(5)} before, ${
        percent(after[verdict]).padStart(5)
      } after`,
    );
  }
  printResult(aligned);
}

async function isUsed(directory: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(directory)) return true;
    return false;
  } catch {
    return false;
  }
}
