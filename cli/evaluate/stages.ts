/** The stages of an evaluation, one after another, each with a device of its own so that none holds another's memory. */
import { type Answer, measureAnswers } from "../../evaluation/answers.ts";
import type { Judgement, Match } from "../../evaluation/judge/judge.ts";
import { measureJudgements } from "../../evaluation/judge/measure.ts";
import type { Measures } from "../../evaluation/preferences.ts";
import { measureScores, type Scores } from "../../evaluation/scores.ts";
import type { Device } from "../../kernels/device.ts";
import type { Examples } from "../../training/examples.ts";
import { type LoadedModel, loadModel } from "../../training/load.ts";
import type { EvaluateConfig } from "../config.ts";
import { openDevice } from "../device.ts";
import { createProgress } from "../progress.ts";
import { type Asked, textOf } from "./asked.ts";
import { drawAnswers, type Generation } from "./draw_answers.ts";
import type { EvaluatedModels, ModelFiles } from "./find_models.ts";
import { type Judge, judgeAnswers } from "./judge_answers.ts";
import { measurePolicy, prefixed } from "./measure_policy.ts";
import {
  type AnsweredPrompts,
  type ScoreFunction,
  scoreWithFunction,
  scoreWithModel,
} from "./score_answers.ts";
import { uploadModel } from "./weights.ts";

/** All that an evaluation needs. */
export interface Evaluation {
  /** The settings. */
  readonly config: EvaluateConfig;
  /** The policy's open files. */
  readonly model: LoadedModel;
  /** Which models there are. */
  readonly models: EvaluatedModels;
  /** Records, if any. */
  readonly examples: Examples | null;
  /** Prompts, if any. */
  readonly asked: Asked | null;
  /** How they are answered. */
  readonly generation: Generation;
  /** An opponent's answers that are there already. */
  readonly given: readonly string[] | null;
  /** A user's function. */
  readonly score: ScoreFunction | null;
  /** A judge. */
  readonly judge: Judge | null;
}

/** What an evaluation found. */
export interface Findings {
  /** By name. */
  readonly measures: Measures;
  /** What a user should know, one line each. */
  readonly notes: readonly string[];
  /** Answers and what was made of them, an entry a prompt. */
  readonly rows: readonly Record<string, unknown>[];
}

/** Carries out an evaluation. */
export async function carryOutEvaluation(evaluation: Evaluation): Promise<Findings> {
  const { config, asked, score, judge } = evaluation;
  const { bootstrap } = config;
  const policy = await withDevice((device) => measurePolicy(device, { ...evaluation, show }));
  hide();
  const measures: Measures = { ...policy.measures };
  if (asked === null) return { measures, notes: policy.notes, rows: [] };

  Object.assign(measures, prefixed("samples", measureAnswers(policy.answers, bootstrap)));
  const opponent = await opponentAnswers(evaluation, asked);
  if (opponent !== null) Object.assign(measures, prefixed("opponent", measureAnswers(opponent, bootstrap)));

  const texts = (answers: readonly (readonly Answer[])[]) =>
    answers.map((ofPrompt) => ofPrompt.map(({ text }) => text));
  const answered: AnsweredPrompts = {
    prompts: asked.prompts,
    own: texts(policy.answers),
    other: opponent === null ? null : texts(opponent),
  };
  const scores: Record<string, Scores> = {};
  if (score !== null) scores.gold = await scoreWithFunction(answered, score);
  const { rewardModel } = config;
  if (rewardModel != null) {
    const { batchSize, memoryLimit } = config;
    const path = evaluation.models.rewardModel!;
    const options = { ...rewardModel, path, batchSize, memoryLimit, onProgress: show("rewards") };
    scores.reward_model = await withDevice((device) => scoreWithModel(device, answered, options));
  }
  for (const [name, ofAnswers] of Object.entries(scores)) {
    const tie = name === "reward_model" ? rewardModel!.tie : 0;
    Object.assign(measures, prefixed(name, measureScores(ofAnswers, { tie, ...bootstrap })));
  }
  const notes = [...policy.notes];
  let judgements: readonly Judgement[] | null = null;
  if (judge !== null) {
    const matches = matchesOf(answered);
    judgements = await askJudge(matches, judge);
    const judged = measureJudgements(judgements, matches, bootstrap);
    Object.assign(measures, prefixed("judge", judged.measures));
    notes.push(...describeMalformed(judged.malformed, matches.length));
  }
  hide();
  return { measures, notes, rows: rowsOf(answered, { scores, judgements }) };
}

let progress = createProgress();

/** Names a stage, and returns what shows how far it is. */
function show(what: string): (done: number, total: number) => void {
  hide();
  progress = createProgress();
  progress.print(what);
  const shown = progress;
  return (done, total) => shown.update({ step: done, total });
}

function hide(): void {
  progress.finish();
}

async function withDevice<T>(work: (device: Device) => Promise<T>): Promise<T> {
  const device = await openDevice();
  try {
    return await work(device);
  } finally {
    hide();
    device.destroy();
  }
}

async function opponentAnswers(
  { given, models: { opponent }, generation, config }: Evaluation,
  asked: Asked,
): Promise<readonly (readonly Answer[])[] | null> {
  if (given !== null) return given.map((text) => [{ text }]);
  return opponent === null
    ? null
    : await answersOf(opponent, { asked, generation, template: config.data.template });
}

async function answersOf(
  files: ModelFiles,
  { asked, generation, template }: { asked: Asked; generation: Generation; template: string | null },
): Promise<Answer[][]> {
  const model = await loadModel(files.path, { template });
  try {
    return await withDevice(async (device) => {
      const weights = await uploadModel(device, model, files);
      const onProgress = show("opponent's answers");
      return await drawAnswers(device, weights, { model, asked, generation, isOpponent: true, onProgress });
    });
  } finally {
    model.directory.close();
  }
}

/** Every judgement costs money: of several answers to a prompt the first is judged. */
function matchesOf({ prompts, own, other }: AnsweredPrompts): Match[] {
  return prompts.map((prompt, i) => ({ prompt: textOf(prompt), answer: own[i]![0]!, other: other![i]![0]! }));
}

async function askJudge(matches: readonly Match[], judge: Judge): Promise<Judgement[]> {
  const onProgress = show("judge");
  try {
    return await judgeAnswers(matches, judge, {
      onProgress,
      onMessage: (message) => progress.print(message),
    });
  } finally {
    hide();
  }
}

const NAMED_PROMPTS = 5;

function describeMalformed(malformed: readonly number[], total: number): string[] {
  if (malformed.length === 0) return [];
  const named = malformed.slice(0, NAMED_PROMPTS).map((index) => index + 1).join(", ");
  const more = malformed.length > NAMED_PROMPTS ? `, … ${malformed.length - NAMED_PROMPTS} more` : "";
  return [
    `judge: no verdict could be read for ${malformed.length} of ${total} prompts, which are left out: ` +
    `number ${named}${more}`,
  ];
}

function rowsOf(
  { prompts, own, other }: AnsweredPrompts,
  { scores, judgements }: { scores: Record<string, Scores>; judgements: readonly Judgement[] | null },
): Record<string, unknown>[] {
  return prompts.map((prompt, i) => ({
    prompt,
    completions: own[i],
    ...(other === null ? {} : { opponent: other[i] }),
    ...Object.fromEntries(
      Object.entries(scores).map(([name, { own, other }]) => [
        name,
        { completions: own[i], ...(other === null ? {} : { opponent: other[i] }) },
      ]),
    ),
    ...(judgements === null ? {} : { judge: judgements[i] }),
  }));
}
