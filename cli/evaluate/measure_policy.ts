/** What a policy does on given records, and along its own answers. */
import type { PackedGroup } from "../../data/pack.ts";
import { compareCompletions, type ComparedCompletion } from "../../evaluation/compare_completions.ts";
import {
  measureDivergences,
  measurePairs,
  measurePerplexity,
  type Measures,
} from "../../evaluation/preferences.ts";
import type { Device } from "../../kernels/device.ts";
import type { ParameterSet } from "../../kernels/parameters.ts";
import type { BootstrapOptions } from "../../evaluation/statistics.ts";
import type { Examples } from "../../training/examples.ts";
import type { LoadedModel } from "../../training/load.ts";
import type { EvaluateConfig } from "../config.ts";
import { UserError } from "../errors.ts";
import type { Asked } from "./asked.ts";
import { drawAnswers, type DrawnAnswer, type Generation } from "./draw_answers.ts";
import type { EvaluatedModels } from "./find_models.ts";
import { uploadModel, uploadOther } from "./weights.ts";

/** What is measured on a policy. */
export interface PolicyTask {
  /** The policy's open files. */
  readonly model: LoadedModel;
  /** Which models there are. */
  readonly models: EvaluatedModels;
  /** Records, if any. */
  readonly examples: Examples | null;
  /** Prompts to answer, if any. */
  readonly asked: Asked | null;
  /** How they are answered. */
  readonly generation: Generation;
  /** The settings. */
  readonly config: EvaluateConfig;
  /** Shows what is going on. */
  readonly show: (what: string) => (done: number, total: number) => void;
}

/** What was found. */
export interface PolicyFindings {
  /** By name. */
  readonly measures: Measures;
  /** Of each prompt; empty where nothing is asked. */
  readonly answers: DrawnAnswer[][];
  /** What a user should know, one line each. */
  readonly notes: readonly string[];
}

/** Measures a policy on a device of its own. */
export async function measurePolicy(device: Device, task: PolicyTask): Promise<PolicyFindings> {
  const { model, models, examples, asked, generation, config, show } = task;
  const policy = await uploadModel(device, model, models.policy);
  const others = new Map<string, ParameterSet>();
  for (const [name, files] of models.others) {
    others.set(name, await uploadOther(device, files, { name, config: model.config }));
  }
  const reserved = [policy, ...others.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const compare = async (groups: Examples<PackedGroup>, what: string): Promise<ComparedCompletion[][]> => {
    const progress = show(what);
    const compared: ComparedCompletion[][] = [];
    const all = compareCompletions(device, {
      config: model.config,
      policy,
      others: [...others.values()],
      groups,
      batchSize: config.batchSize,
      reserved,
      ...(config.memoryLimit === null ? {} : { memoryLimit: config.memoryLimit }),
    });
    for await (const completions of all) {
      compared.push(completions);
      progress(compared.length, groups.length);
    }
    return compared;
  };
  const { bootstrap } = config;
  const names = [...others.keys()];
  const measures: Measures = {};
  if (examples !== null) {
    const compared = await compare(examples, "records");
    Object.assign(
      measures,
      prefixed("data", measureRecords(compared, { others: names, beta: config.beta, bootstrap })),
    );
  }
  if (asked === null) return { measures, answers: [], notes: [] };
  const answers = await drawAnswers(device, policy, {
    model,
    asked,
    generation,
    onProgress: show("answers"),
  });
  if (others.size === 0) return { measures, answers, notes: [] };
  if (!isExact(generation)) {
    const note =
      "KL along answers is that of the policy only if they are drawn at temperature 1 without top_k and top_p; " +
      "it is left out";
    return { measures, answers, notes: [note] };
  }
  const groups = answers.map(([first, ...others]) => ({
    prompt: first!.prompt,
    completions: [first!, ...others].map(({ ids }) => ids),
  }));
  const along = await compare(groups, "KL along answers");
  Object.assign(measures, prefixed("samples", measureDivergences(along, { others: names, ...bootstrap })));
  return { measures, answers, notes: [] };
}

function measureRecords(
  compared: readonly ComparedCompletion[][],
  { others, beta, bootstrap }: { others: readonly string[]; beta: number; bootstrap: BootstrapOptions },
): Measures {
  const sides = compared.every(({ length }) => length === 2) ? ["chosen", "rejected"] : ["completion"];
  if (compared.some(({ length }) => length !== sides.length)) {
    throw new UserError("data.records: holds pairs beside other records; evaluate them one after the other");
  }
  return {
    ...(sides.length === 2 ? measurePairs(compared, { others, beta, ...bootstrap }) : {}),
    ...Object.fromEntries(
      sides.map((side, i) => [
        `perplexity/${side}`,
        measurePerplexity(compared.map((completions) => completions[i]!), bootstrap),
      ]),
    ),
    ...measureDivergences(compared, { others, ...bootstrap }),
  };
}

function isExact({ temperature, topK, topP }: Generation): boolean {
  return temperature === 1 && topK === null && (topP === null || topP === 1);
}

/** Measures under longer names. */
export function prefixed(prefix: string, measures: Measures): Measures {
  return Object.fromEntries(Object.entries(measures).map(([name, value]) => [`${prefix}/${name}`, value]));
}
