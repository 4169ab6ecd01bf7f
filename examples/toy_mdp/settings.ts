/** What is trained with what: problems, losses, references, and the numbers that all of them share. */
import { dpo, ipo, ktoPaired, type Loss } from "@tr/align/losses";
import { adaptive, frozen, hard, type ReferenceStrategy, soft } from "@tr/align/reference";

/** A kind of problem; each seed draws its own preferences and network. */
export interface Problem {
  /** Short. */
  readonly name: string;
  /** Preference pairs. */
  readonly pairs: number;
  /** First actions that the trajectories of a pair have in common. */
  readonly shared: number;
}

/** Everything that decides the numbers. */
export interface Settings {
  /** Actions of a trajectory; the tree has 3^depth leaves. */
  readonly depth: number;
  /** Width of the network's layers. */
  readonly width: number;
  /** Each draws preferences and a network. */
  readonly seeds: readonly number[];
  /** The problems. */
  readonly problems: readonly Problem[];
  /** β, for every loss. */
  readonly betas: readonly number[];
  /** Steps of supervised training on chosen and rejected trajectories alike, which makes the initial policy. */
  readonly warmupSteps: number;
  /** Its learning rate. */
  readonly warmupRate: number;
  /** Steps of preference training. */
  readonly steps: number;
  /** Its learning rate, constant. */
  readonly learningRate: number;
  /** Steps from one measurement to the next. */
  readonly every: number;
}

/** The full set. */
export const fullSettings: Settings = {
  depth: 3,
  width: 16,
  seeds: Array.from({ length: 16 }, (_, seed) => seed),
  problems: [
    { name: "one pair", pairs: 1, shared: 0 },
    { name: "one pair, first action shared", pairs: 1, shared: 1 },
    { name: "three pairs", pairs: 3, shared: 0 },
  ],
  betas: [0.05, 0.2, 1],
  warmupSteps: 40,
  warmupRate: 1e-2,
  steps: 1600,
  learningRate: 1e-3,
  every: 20,
};

/** Enough to see the shape of the curves. */
export const quickSettings: Settings = {
  ...fullSettings,
  seeds: fullSettings.seeds.slice(0, 10),
  problems: fullSettings.problems.slice(0, 1),
  betas: [0.05],
};

/** The losses by name; KTO in the paired form of the paper's experiments, and log-probs summed in IPO, as its authors do. */
export const losses: Readonly<Record<string, (beta: number) => Loss>> = {
  DPO: (beta) => dpo({ beta }),
  IPO: (beta) => ipo({ beta, average: "sum" }),
  KTO: (beta) => ktoPaired({ beta }),
};

/** The references by name. */
export const strategies: Readonly<Record<string, ReferenceStrategy>> = {
  frozen: frozen(),
  soft: soft({ alpha: 0.6, every: 16 }),
  hard: hard({ every: 64 }),
  adaptive: adaptive({ measure: "kl", bound: 0.1, spacing: 16, average: 4 }),
};

/** One way to train: all its seeds make one curve. */
export interface Cell {
  /** The problem's name. */
  readonly problem: string;
  /** A name of {@linkcode losses}. */
  readonly loss: string;
  /** β. */
  readonly beta: number;
  /** A name of {@linkcode strategies}. */
  readonly reference: string;
}

/** All ways to train on a problem. */
export function cellsOf({ name: problem }: Problem, { betas }: Settings): Cell[] {
  return Object.keys(losses).flatMap((loss) =>
    betas.flatMap((beta) => Object.keys(strategies).map((reference) => ({ problem, loss, beta, reference })))
  );
}
