import { adaptive, frozen, hard, type ReferenceStrategy, soft } from "@tr/align/reference";
import type { LossName } from "./trainer.ts";

/** What holds for every run, so that runs can be compared; results that were made otherwise are refused. */
export interface Experiment {
  /** Seed of the order of the orders, the untrained weights and the replies of the supervised part. */
  readonly seed: number;
  /** Orders for supervised fine-tuning. */
  readonly supervisedOrders: number;
  /** Replies to each of them. */
  readonly supervisedReplies: number;
  /** Replies in a step of it. */
  readonly supervisedBatch: number;
  /** Its peak learning rate. */
  readonly supervisedRate: number;
  /** Orders to which two replies each are drawn and compared, for each seed. */
  readonly pairs: number;
  /** Sets of pairs that are drawn; the seed of a run names one. */
  readonly pairSets: number;
  /** Bradley and Terry's noise. */
  readonly temperature: number;
  /** Optimizer steps. */
  readonly steps: number;
  /** Pairs in a step. */
  readonly batchSize: number;
  /** Learning rate after warm-up. */
  readonly learningRate: number;
  /** Steps of warm-up. */
  readonly warmup: number;
  /** The largest norm of the gradient. */
  readonly maxGradNorm: number;
  /** Steps after which the policy is measured, besides the start. */
  readonly checkpoints: readonly number[];
  /** Orders to which a policy replies to be measured, twice each. */
  readonly measuredOrders: number;
}

/** The experiment of the documents. */
export const EXPERIMENT: Experiment = {
  seed: 0,
  supervisedOrders: 5500,
  supervisedReplies: 3,
  supervisedBatch: 16,
  supervisedRate: 1e-2,
  pairs: 256,
  pairSets: 5,
  temperature: 1,
  steps: 224,
  batchSize: 8,
  learningRate: 5e-4,
  warmup: 10,
  maxGradNorm: 2,
  checkpoints: [16, 32, 48, 64, 96, 128, 176, 224],
  measuredOrders: 96,
};

/** When the reference moves. */
export type ReferenceSetting =
  | { readonly update: "frozen" }
  | { readonly update: "soft"; readonly alpha: number; readonly every: number }
  | { readonly update: "hard"; readonly every: number }
  | { readonly update: "adaptive"; readonly bound: number };

/** What differs between runs, besides the seed. */
export interface Setting {
  /** The loss. */
  readonly loss: LossName;
  /** Its β. */
  readonly beta: number;
  /** The reference. */
  readonly reference: ReferenceSetting;
}

/** Settings and seeds of a mode. */
export interface Grid {
  /** The settings, those of one loss and β one after the other. */
  readonly settings: readonly Setting[];
  /** Seeds of the pairs, their labels, their order and the samples. */
  readonly seeds: readonly number[];
}

/** The paper's recommended α, with updates that fit the run: seven of them. */
const SOFT = { update: "soft", alpha: 0.6, every: 32 } as const;
/** Hard updates: three of them. The paper's τ of 512 would never come. */
const HARD = { update: "hard", every: 64 } as const;
/** Updates when KL to the reference exceeds 2 nats: this library's own rule. */
const ADAPTIVE = { update: "adaptive", bound: 2 } as const;
/** The loss with which α and τ are swept. */
const SWEPT = { loss: "dpo", beta: 0.3 } as const;

/** A grid of about ten minutes on two cores. */
export const QUICK: Grid = {
  settings: [
    ...withReferences("dpo", [0.05, 0.3]),
    ...sweep([{ ...SOFT, alpha: 0.2 }, { ...HARD, every: 32 }, ADAPTIVE]),
    ...withReferences("ipo", [0.1]),
    ...withReferences("kto", [0.3]),
  ],
  seeds: [0, 1, 2],
};

/** A grid of about half an hour; it contains the quick one. */
export const FULL: Grid = {
  settings: [
    ...withReferences("dpo", [0.05, 0.1, 0.3, 1]),
    ...sweep([
      ...[0.2, 0.8].map((alpha) => ({ ...SOFT, alpha })),
      ...[32, 112].map((every) => ({ ...HARD, every })),
      ADAPTIVE,
    ]),
    ...withReferences("ipo", [0.1, 0.3]),
    ...withReferences("kto", [0.3, 1]),
  ],
  seeds: [0, 1, 2, 3, 4],
};

function withReferences(loss: LossName, betas: readonly number[]): Setting[] {
  const references: ReferenceSetting[] = [{ update: "frozen" }, SOFT, HARD];
  return betas.flatMap((beta) => references.map((reference) => ({ loss, beta, reference })));
}

function sweep(references: readonly ReferenceSetting[]): Setting[] {
  return references.map((reference) => ({ ...SWEPT, reference }));
}

/** The settings of a grid that share the swept loss and β. */
export function isSwept({ loss, beta }: Setting): boolean {
  return loss === SWEPT.loss && beta === SWEPT.beta;
}

/** Whether a setting's reference is one of the three that every loss is trained with. */
export function isMain({ reference }: Setting): boolean {
  const name = describeReference(reference);
  return reference.update === "frozen" || [SOFT, HARD].some((main) => describeReference(main) === name);
}

/** Whether a setting is the paper's recommendation: DPO with its β, and α 0.6 or hard updates. */
export function isPapers(setting: Setting): boolean {
  return setting.loss === "dpo" && setting.beta === 0.05 && isMain(setting);
}

/** The strategy of a setting. */
export function strategyOf(reference: ReferenceSetting): ReferenceStrategy {
  switch (reference.update) {
    case "frozen":
      return frozen();
    case "soft":
      return soft(reference);
    case "hard":
      return hard(reference);
    case "adaptive":
      return adaptive({ measure: "kl", bound: reference.bound });
  }
}

/** A reference in words. */
export function describeReference(reference: ReferenceSetting): string {
  switch (reference.update) {
    case "frozen":
      return "frozen";
    case "soft":
      return `soft α ${reference.alpha} τ ${reference.every}`;
    case "hard":
      return `hard τ ${reference.every}`;
    case "adaptive":
      return `adaptive KL > ${reference.bound}`;
  }
}

/** A loss and its β in words. */
export function describeLoss({ loss, beta }: Pick<Setting, "loss" | "beta">): string {
  return `${loss.toUpperCase()} β ${beta}`;
}

/** A name for files that no other setting has. */
export function settingId({ loss, beta, reference }: Setting): string {
  return [loss, beta, ...Object.values(reference)].join("-");
}
