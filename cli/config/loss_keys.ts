/**
 * The `loss` and `reference` sections, whose keys depend on the type of the loss and of the update.
 *
 * @module
 */
import * as v from "valibot";
import { choice, key, number, orNull, switchedOn, text, wholeNumber } from "./keys.ts";

const TYPE_DOC = "The loss to minimize; a list of losses, each with a weight, minimizes their weighted sum.";

const beta = key(
  "How strongly the policy is held to the reference: the factor between log-ratio and reward.",
  number({ above: 0 }),
  0.05,
);

// One loss term of each type, plus `shared` keys; a type's own keys are refused with every other type.
function terms<const E extends v.ObjectEntries>(shared: E) {
  return v.variant("type", [
    v.object({
      type: key(TYPE_DOC, choice(["dpo"]), "dpo"),
      beta,
      label_smoothing: key(
        "The share of preference labels that are taken to be the wrong way round (conservative DPO).",
        number({ min: 0, below: 0.5 }),
        0,
      ),
      ...shared,
    }),
    v.object({
      type: key(TYPE_DOC, choice(["ipo"])),
      beta,
      average: key(
        "Whether a completion counts with the sum of its tokens' log-probs (DPO's and the TR authors' code) or with " +
          "their mean (IPO's authors); the two are different losses, so neither is the default.",
        choice(["sum", "mean"]),
      ),
      ...shared,
    }),
    v.object({
      type: key(TYPE_DOC, choice(["kto"])),
      beta,
      desirable_weight: key("The weight of completions labelled desirable.", number({ above: 0 }), 1),
      undesirable_weight: key("The weight of completions labelled undesirable.", number({ above: 0 }), 1),
      ...shared,
    }),
    v.object({
      type: key(TYPE_DOC, choice(["kto_paired"])),
      beta,
      detach: key(
        "Whether the batch's mean log-ratio is taken as a constant (true) or passes gradient, as in the TR authors' " +
          "code (false).",
        switchedOn(),
        true,
      ),
      ...shared,
    }),
    v.object({ type: key(TYPE_DOC, choice(["sft"])), ...shared }),
  ], "is not dpo, ipo, kto, kto_paired or sft");
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
  "Directory of the model that the reference starts from; null starts from the policy.",
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
