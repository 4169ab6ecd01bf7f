import type { Tone } from "../plot/types.ts";

/** One curve: which metric, what to call it and how it looks. */
export interface Curve {
  /** Name of the metric. */
  metric: string;
  /** Name in the legend. */
  label: string;
  /** Its colour. */
  tone: Tone;
  /** Whether an update of the reference throws it back at once, so that a mean must not reach across. */
  jumps?: true;
  /** Whether it has no noise to average away. */
  exact?: true;
  /** Whether it is measured on held-out data now and then, and so drawn with dots. */
  heldOut?: true;
}

/** One plot. */
export interface Figure {
  /** What is plotted. */
  title: string;
  /** One sentence: how to read it. */
  reading: string;
  /** Its curves; those without data are left out, and a figure without any as well. */
  curves: readonly Curve[];
  /** Values that the vertical axis always reaches. */
  reach?: readonly number[];
}

/** Two figures to compare, on one vertical scale if that leaves both readable. */
export type Comparison = readonly [Figure, Figure];

/** Figures under one heading. */
export interface FigureGroup {
  /** The heading. */
  heading: string;
  /** In order; neighbours stand side by side where there is room. */
  figures: readonly (Figure | Comparison)[];
}

const chosenAndRejected = (prefix: string): [Curve, Curve] => [
  { metric: `${prefix}/chosen`, label: "chosen", tone: "chosen" },
  { metric: `${prefix}/rejected`, label: "rejected", tone: "rejected" },
];

/** Every figure of a report. */
export const FIGURE_GROUPS: readonly FigureGroup[] = [
  {
    heading: "Does it learn the preferences?",
    figures: [
      {
        title: "Loss",
        reading:
          "Where policy and reference agree, DPO's loss is ln 2 ≈ 0.693; it climbs back towards that value " +
          "whenever the reference catches up, which is the method at work and not a setback.",
        curves: [
          { metric: "loss", label: "training", tone: "plain", jumps: true },
          { metric: "eval_loss", label: "held out", tone: "plain", heldOut: true },
        ],
      },
      {
        title: "Reward accuracy",
        reading:
          "The share of pairs whose chosen completion has the higher reward; just after an update the moving " +
          "reference knows as much as the policy, so progress shows against the initial one.",
        curves: [
          { metric: "rewards/accuracies", label: "moving", tone: "moving", jumps: true },
          { metric: "rewards_initial/accuracies", label: "initial", tone: "initial" },
          { metric: "eval_rewards/accuracies", label: "held out, moving", tone: "moving", heldOut: true },
          {
            metric: "eval_rewards_initial/accuracies",
            label: "held out, initial",
            tone: "initial",
            heldOut: true,
          },
        ],
        reach: [0, 1],
      },
      [{
        title: "Margin over the moving reference",
        reading:
          "The gap between the two rewards as the loss sees it: every update pulls it back towards zero, and " +
          "with that the gradient returns.",
        curves: [
          { metric: "rewards/margins", label: "training", tone: "moving", jumps: true },
          { metric: "eval_rewards/margins", label: "held out", tone: "moving", heldOut: true },
        ],
        reach: [0],
      }, {
        title: "Margin over the initial reference",
        reading: "The same gap since the start: it should rise and level off, and a held-out curve " +
          "that falls behind the training curve shows that pairs are being memorized.",
        curves: [
          { metric: "rewards_initial/margins", label: "training", tone: "initial" },
          { metric: "eval_rewards_initial/margins", label: "held out", tone: "initial", heldOut: true },
        ],
        reach: [0],
      }],
      [{
        title: "Rewards over the moving reference",
        reading:
          "β times the change in log-probability since the reference last moved: a sawtooth when it is copied, " +
          "a small offset when it is mixed in often.",
        curves: chosenAndRejected("rewards").map((curve) => ({ ...curve, jumps: true })),
        reach: [0],
      }, {
        title: "Rewards over the initial reference",
        reading: "β times the change since the start: this is the drift that the moving reference " +
          "hides.",
        curves: chosenAndRejected("rewards_initial"),
        reach: [0],
      }],
    ],
  },
  {
    heading: "What becomes of the policy?",
    figures: [
      {
        title: "Log-probabilities",
        reading:
          "A falling chosen curve is common and by itself no fault, because the loss asks for a gap and not for " +
          "a level; worry when it keeps falling after the margin has stopped growing, for then probability goes to " +
          "texts that nobody preferred.",
        curves: chosenAndRejected("logps"),
      },
      {
        title: "KL divergence from the references",
        reading:
          "In nats: the distance to the initial reference is the price paid so far, so compare two runs at " +
          "equal KL rather than at equal steps.",
        curves: [
          { metric: "kl/reference", label: "moving", tone: "moving", jumps: true },
          { metric: "kl/initial", label: "initial", tone: "initial" },
        ],
        reach: [0],
      },
      {
        title: "Curvature",
        reading:
          "The mean of σ(z)σ(−z), at most 0.25: near zero the loss is flat and no longer holds the policy, and " +
          "moving the reference brings it back up.",
        curves: [{ metric: "curvature", label: "curvature", tone: "plain", jumps: true }],
        reach: [0, 0.25],
      },
      {
        title: "Completion length",
        reading:
          "Mean tokens per completion in each batch; where chosen ones are always longer, some of what is " +
          "learned is to be long.",
        curves: chosenAndRejected("length"),
        reach: [0],
      },
    ],
  },
  {
    heading: "Did the run go well?",
    figures: [
      {
        title: "Gradient norm",
        reading:
          "Before clipping: single spikes are harmless, a steady climb means that the learning rate is too high.",
        curves: [{ metric: "grad_norm", label: "gradient norm", tone: "plain" }],
        reach: [0],
      },
      {
        title: "Learning rate",
        reading: "The schedule as it was run, warm-up included.",
        curves: [{ metric: "learning_rate", label: "learning rate", tone: "plain", exact: true }],
        reach: [0],
      },
      {
        title: "Updates of the reference",
        reading:
          "How often the reference has moved so far: a fixed plan gives even stairs, and with an adaptive strategy " +
          "this shows when it stepped in.",
        curves: [{ metric: "reference/updates", label: "updates", tone: "moving", exact: true }],
        reach: [0],
      },
      {
        title: "Throughput",
        reading: "Tokens per second: dips are usually longer batches, evaluations or checkpoints.",
        curves: [{ metric: "tokens_per_second", label: "tokens per second", tone: "plain" }],
        reach: [0],
      },
    ],
  },
];
