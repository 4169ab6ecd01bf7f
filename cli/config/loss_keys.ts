/**
 * The `loss` and `reference` sections, whose keys depend on the type of the loss and of the update.
 *
 * @module
 */
import * as v from "valibot";
import { choice, key, number, orNull, switchedOn, text, wholeNumber } from "./keys.ts";
import { typeName } from "./tree.ts";

const TYPE_DOC = "The loss to minimize; a list of losses, each with a weight, minimizes their weighted sum.";

const BETA_DOC = "How strongly the policy is held to the reference: the factor between log-ratio and reward.";

const beta = key(BETA_DOC, number({ above: 0 }), 0.05);

const LABEL_SMOOTHING_DOC = "The share of preference labels that are taken to be the wrong way round.";

const labelSmoothing = key(LABEL_SMOOTHING_DOC, number({ min: 0, below: 0.5 }), 0);

const someLabelSmoothing = number({ above: 0, below: 0.5 });

// The key that tells a loss's type, which has one value.
function named<const T extends string>(type: T) {
  return key(TYPE_DOC, choice([type]));
}

// One loss term of each type, plus `shared` keys; a type's own keys are refused with every other type.
function terms<const E extends v.ObjectEntries>(shared: E) {
  const types = [
    v.object({
      type: key(TYPE_DOC, choice(["dpo"]), "dpo"),
      beta,
      label_smoothing: labelSmoothing,
      ...shared,
    }),
    v.object({
      type: named("ipo"),
      beta,
      average: key(
        "Whether a completion counts with the sum of its tokens' log-probs (DPO's and the TR authors' code) or with " +
          "their mean (IPO's authors); the two are different losses, so neither is the default.",
        choice(["sum", "mean"]),
      ),
      ...shared,
    }),
    v.object({
      type: named("kto"),
      beta,
      desirable_weight: key("The weight of completions labelled desirable.", number({ above: 0 }), 1),
      undesirable_weight: key("The weight of completions labelled undesirable.", number({ above: 0 }), 1),
      ...shared,
    }),
    v.object({
      type: named("kto_paired"),
      beta,
      detach: key(
        "Whether the batch's mean log-ratio is taken as a constant (true) or passes gradient, as in the TR authors' " +
          "code (false).",
        switchedOn(),
        true,
      ),
      ...shared,
    }),
    v.object({ type: named("sft"), ...shared }),
    v.object({
      type: named("robust"),
      beta,
      label_smoothing: key(LABEL_SMOOTHING_DOC, someLabelSmoothing),
      ...shared,
    }),
    v.object({ type: named("hinge"), beta, ...shared }),
    v.object({
      type: named("exo_pair"),
      beta,
      label_smoothing: key(LABEL_SMOOTHING_DOC, someLabelSmoothing, 1e-3),
      ...shared,
    }),
    v.object({ type: named("nca_pair"), beta, ...shared }),
    v.object({ type: named("bco_pair"), beta, ...shared }),
    v.object({ type: named("sppo_hard"), beta, ...shared }),
    v.object({ type: named("apo_zero"), beta, ...shared }),
    v.object({ type: named("apo_down"), beta, ...shared }),
    v.object({
      type: named("discopop"),
      beta,
      tau: key(
        "The width of the passage from the logistic loss of wrongly ordered pairs to the exponential one of others.",
        number({ above: 0, max: 1 }),
        0.05,
      ),
      ...shared,
    }),
    v.object({ type: named("sigmoid_norm"), beta: key(BETA_DOC, number({ above: 0 }), 5), ...shared }),
    v.object({
      type: named("dpop"),
      beta,
      lambda: key(
        "The weight of the penalty on chosen completions that become less likely than under the reference.",
        number({ above: 0 }),
        50,
      ),
      ...shared,
    }),
    v.object({ type: named("cal_dpo"), beta, ...shared }),
    v.object({
      type: named("simpo"),
      beta: key("The factor between a completion's mean log-prob and its reward.", number({ above: 0 }), 2),
      gamma: key("The margin between the rewards that a pair should exceed.", number({ min: 0 }), 1),
      ...shared,
    }),
    v.object({
      type: named("cpo"),
      beta: key("The factor between a completion's log-prob and its reward.", number({ above: 0 }), 0.1),
      label_smoothing: labelSmoothing,
      ...shared,
    }),
    v.object({
      type: named("orpo"),
      beta: key("The weight of the odds ratio beside the cross-entropy.", number({ above: 0 }), 0.1),
      ...shared,
    }),
  ] as const;
  const names = types.map(({ entries }) => typeName(entries, "type"));
  return v.variant("type", types, `is not ${choice(names).wants}`);
}

const singleLoss = v.pipe(terms({}), v.transform((term) => [{ ...term, weight: 1 }]));

const lossList = v.pipe(
  v.array(terms({ weight: key("The factor of this loss in the sum.", number({ above: 0 }), 1) })),
  v.minLength(1, "is empty; give at least one loss"),
);

/** One loss or a list of losses with weights; read as a list either way. */
export const lossSection = v.lazy((value) => Array.isArray(value) ? lossList : singleLoss);

const UPDATE_DOC =
  "How the reference follows the policy: soft mixes the policy in, hard copies it, frozen leaves it alone.";

const every = key(
  "Optimizer steps between two updates of the reference; 3 to 8 updates in a run work well.",
  wholeNumber({ min: 1 }),
  64,
);

const path = key(
  "Directory of the model that the reference starts from, or its id on the hub; null starts from the policy.",
  orNull(text("a path")),
  null,
);

/** What the policy is compared with, and how that moves. */
export const referenceSection = v.variant("update", [
  v.object({
    update: key(UPDATE_DOC, choice(["soft"]), "soft"),
    alpha: key("The share of the policy that an update mixes in.", number({ above: 0, max: 1 }), 0.6),
    every,
    path,
  }),
  v.object({ update: key(UPDATE_DOC, choice(["hard"])), every, path }),
  v.object({ update: key(UPDATE_DOC, choice(["frozen"])), path }),
], "is not frozen, soft or hard");
