/** Scores answers with a user's function or with a reward model. */
import type { Prompt } from "../../data/prompts.ts";
import { openRewardModel, readRewardTokenizer, scoreRewards } from "../../evaluation/reward_model.ts";
import { encodeForReward } from "../../evaluation/reward_texts.ts";
import type { Scores } from "../../evaluation/scores.ts";
import type { Device } from "../../kernels/device.ts";
import type { EvaluateConfig } from "../config.ts";
import { UserError } from "../errors.ts";

/** A user's own measure of an answer: the higher, the better. */
export type ScoreFunction = (prompt: Prompt, completion: string) => number | Promise<number>;

/** Answers to prompts. */
export interface AnsweredPrompts {
  /** The prompts. */
  readonly prompts: readonly Prompt[];
  /** Of each prompt, the policy's answers. */
  readonly own: readonly (readonly string[])[];
  /** The opponent's; null if there is none. */
  readonly other: readonly (readonly string[])[] | null;
}

/**
 * Loads a user's scoring function.
 *
 * @throws {UserError} if there is no such module or function
 */
export async function loadScoreFunction(gold: NonNullable<EvaluateConfig["gold"]>): Promise<ScoreFunction> {
  const { module: path, export: name } = gold;
  let module: Record<string, unknown>;
  try {
    module = await import(new URL(await Deno.realPath(path), "file:///").href);
  } catch (cause) {
    throw new UserError(
      `gold.module: ${path} can't be loaded: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
  const found = module[name];
  if (typeof found === "function") return found as ScoreFunction;
  throw new UserError(
    `gold.export: ${path} exports no function "${name}"; it exports ${
      Object.keys(module).join(", ") || "nothing"
    }`,
  );
}

/**
 * Scores answers with a user's function.
 *
 * @throws {UserError} if it gives something else than a number
 */
export async function scoreWithFunction(
  { prompts, own, other }: AnsweredPrompts,
  score: ScoreFunction,
): Promise<Scores> {
  const scoreAll = (answers: readonly (readonly string[])[]) =>
    Promise.all(
      answers.map((ofPrompt, i) => Promise.all(ofPrompt.map((answer) => scoreOne(prompts[i]!, answer, i)))),
    );
  return { own: await scoreAll(own), other: other === null ? null : await scoreAll(other) };

  async function scoreOne(prompt: Prompt, answer: string, index: number): Promise<number> {
    const value = await score(prompt, answer);
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw new UserError(
      `gold.module: the function gave ${String(value)} for an answer to prompt ${index + 1}; wanted a number`,
    );
  }
}

/**
 * Scores answers with a reward model.
 *
 * @throws If the model can't be used, or can't read an answer.
 */
export async function scoreWithModel(
  device: Device,
  { prompts, own, other }: AnsweredPrompts,
  { path, eos, batchSize, memoryLimit, onProgress }: {
    path: string;
    eos: boolean;
    batchSize: number;
    memoryLimit: number | null;
    onProgress: (done: number, total: number) => void;
  },
): Promise<Scores> {
  const model = await openRewardModel(path);
  try {
    const tokenizer = await readRewardTokenizer(path);
    const groups = prompts.map((prompt, i) => {
      try {
        return encodeForReward(prompt, [...own[i]!, ...other?.[i] ?? []], { tokenizer, eos });
      } catch (cause) {
        throw new UserError(
          `reward_model, prompt ${i + 1}: ${cause instanceof Error ? cause.message : cause}`,
          { cause },
        );
      }
    });
    const scores: number[][] = [];
    const limit = memoryLimit === null ? {} : { memoryLimit };
    for await (const ofPrompt of scoreRewards(device, model, { groups, batchSize, ...limit })) {
      scores.push(ofPrompt);
      onProgress(scores.length, groups.length);
    }
    return {
      own: scores.map((ofPrompt, i) => ofPrompt.slice(0, own[i]!.length)),
      other: other === null ? null : scores.map((ofPrompt, i) => ofPrompt.slice(own[i]!.length)),
    };
  } finally {
    model.directory.close();
  }
}
