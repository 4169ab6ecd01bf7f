/**
 * What the keys of the `reference` section rule out together.
 *
 * @module
 */
import type { ReferenceConfig, TrainConfig } from "./commands.ts";
import type { Rule } from "./rules.ts";

/** The largest curvature, σ(z)σ(−z) at z = 0. */
const LARGEST_CURVATURE = 0.25;

/** The rules of the `reference` section. */
export const referenceRules: readonly Rule<TrainConfig>[] = [
  {
    reads: ["reference.update", "reference.alpha", "reference.every"],
    about: "reference.every",
    check: ({ reference }) => {
      const copies = reference.update === "hard" || (reference.update === "soft" && reference.alpha === 1);
      if (!copies || reference.every !== 1) return undefined;
      return `1${
        reference.update === "soft" ? " with alpha 1" : ""
      } copies the policy after every step: the margins ` +
        "stay 0 and nothing regularizes; raise it";
    },
  },
  {
    reads: ["reference.update", "reference.alpha_start", "reference.alpha_end"],
    about: "reference.alpha_end",
    check: ({ reference }) =>
      reference.update === "scheduled" && reference.alphaStart === reference.alphaEnd
        ? `${reference.alphaEnd} is alpha_start too, so the schedule would be ignored; take update: soft`
        : undefined,
  },
  {
    reads: ["reference.update", "reference.measure", "reference.bound"],
    about: "reference.bound",
    check: ({ reference }) =>
      reference.update === "adaptive" && reference.measure === "curvature" &&
        reference.bound >= LARGEST_CURVATURE
        ? `${reference.bound} is not below ${LARGEST_CURVATURE}, the largest curvature there is, so every step would update`
        : undefined,
  },
  {
    reads: ["reference.update", "reference.alpha", "reference.reset_optimizer"],
    about: "reference.reset_optimizer",
    check: ({ reference }) =>
      "resetOptimizer" in reference && reference.resetOptimizer && "alpha" in reference && reference.alpha < 1
        ? `would be ignored with alpha ${reference.alpha}, which never copies the policy; set alpha to 1 or leave it out`
        : undefined,
  },
  {
    reads: ["reference.update", "reference.path"],
    about: "reference.path",
    check: ({ reference: { update, path } }) =>
      update === "bema" && path !== null
        ? "bema starts from the policy, whose way since then it adds to an average; leave it out"
        : undefined,
  },
  {
    reads: ["reference.update", "reference.after", "reference.until"],
    about: "reference.until",
    check: ({ reference }) => {
      const { after, until } = spanOf(reference);
      return until !== null && until <= after
        ? `${until} is not more than reference.after, ${after}, so the reference would never move`
        : undefined;
    },
  },
  {
    reads: ["reference.update", "reference.after", "training.steps"],
    about: "reference.after",
    check: ({ reference, training: { steps } }) => {
      const { after } = spanOf(reference);
      return after >= steps
        ? `${after} leaves no step for an update within training.steps, ${steps}; lower it, or take update: frozen`
        : undefined;
    },
  },
  {
    reads: ["reference.update", "reference.until", "training.steps"],
    about: "reference.until",
    check: ({ reference, training: { steps } }) => {
      const { until } = spanOf(reference);
      return until !== null && until >= steps
        ? `${until} would be ignored: the run ends after training.steps, ${steps}; lower it or leave it out`
        : undefined;
    },
  },
];

function spanOf(reference: ReferenceConfig): { after: number; until: number | null } {
  return reference.update === "frozen" ? { after: 0, until: null } : reference;
}
