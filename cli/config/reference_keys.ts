/**
 * The `reference` section, whose keys depend on how the reference is updated.
 *
 * @module
 */
import * as v from "valibot";
import { choice, key, number, orNull, switchedOn, text, wholeNumber } from "./keys.ts";

const UPDATE_DOC =
  "How the reference follows the policy: soft mixes the policy in, hard copies it, scheduled mixes in a share that changes " +
  "over the run, epoch updates after each pass over the data, adaptive when the policy has gone too far, bema takes a " +
  "bias-corrected moving average, frozen leaves it alone.";

// The key that tells how the reference is updated, which has one value.
function named<const T extends string>(update: T) {
  return key(UPDATE_DOC, choice([update]));
}

const every = key(
  "Optimizer steps between two updates of the reference; 3 to 8 updates in a run work well.",
  wholeNumber({ min: 1 }),
  64,
);

const ALPHA_DOC = "The share of the policy that an update mixes in.";

const share = number({ above: 0, max: 1 });

const copiedAlpha = key(ALPHA_DOC, share, 1);

const path = key(
  "Directory of the model that the reference starts from; null starts from the policy.",
  orNull(text("a path")),
  null,
);

const resetOptimizer = key(
  "Whether the optimizer's moments start from zero again after each copy of the policy.",
  switchedOn(),
  false,
);

// Of every update that moves the reference.
const span = {
  after: key(
    "No update comes before more than so many optimizer steps are done.",
    wholeNumber({ min: 0 }),
    0,
  ),
  until: key(
    "No update comes once more than so many optimizer steps are done; null lets them go on.",
    orNull(wholeNumber({ min: 1 })),
    null,
  ),
};

/** What the policy is compared with, and how that moves. */
export const referenceSection = v.variant("update", [
  v.object({
    update: key(UPDATE_DOC, choice(["soft"]), "soft"),
    alpha: key(ALPHA_DOC, share, 0.6),
    every,
    path,
    ...span,
  }),
  v.object({ update: named("hard"), every, path, reset_optimizer: resetOptimizer, ...span }),
  v.object({
    update: named("scheduled"),
    alpha_start: key(
      "The share of the policy that an update would mix in at the start.",
      number({ min: 0, max: 1 }),
    ),
    alpha_end: key("The share that the last step's update mixes in.", number({ min: 0, max: 1 })),
    schedule: key(
      "Whether the share changes along a line or along half a cosine.",
      choice(["linear", "cosine"]),
      "linear",
    ),
    every,
    path,
    ...span,
  }),
  v.object({ update: named("epoch"), alpha: copiedAlpha, path, reset_optimizer: resetOptimizer, ...span }),
  v.object({
    update: named("adaptive"),
    measure: key(
      "What is compared with the bound: kl, the mean KL(policy ‖ reference) of a completion in nats; margin, the mean " +
        "reward margin; curvature, the mean of σ(z)σ(−z) over the margins z.",
      choice(["kl", "margin", "curvature"]),
      "kl",
    ),
    bound: key(
      "An update comes when kl or margin is above it, or curvature, which is 0.25 at most, below it.",
      number({ above: 0 }),
    ),
    spacing: key("The fewest optimizer steps between two updates.", wholeNumber({ min: 1 }), 16),
    average: key(
      "How many of the latest steps the measure is averaged over.",
      wholeNumber({ min: 1, max: 64 }),
      4,
    ),
    alpha: copiedAlpha,
    path,
    reset_optimizer: resetOptimizer,
    ...span,
  }),
  v.object({
    update: named("bema"),
    every,
    ema_power: key(
      "κ: after step t the average takes in (lag + multiplier · t)^−κ of the policy.",
      share,
      0.5,
    ),
    bias_power: key(
      "η: the reference is the average and (lag + multiplier · t)^−η of the policy's way from its start.",
      share,
      0.2,
    ),
    lag: key("The age in steps that the average has at the start.", number({ min: 1 }), 10),
    multiplier: key("By how much a step ages the average.", number({ above: 0 }), 1),
    path,
    ...span,
  }),
  v.object({
    update: named("frozen"),
    path,
    dtype: key(
      "How the reference's matrices are stored on the device; bfloat16 takes half the memory, and rounds weights that " +
        "are finer: policy and reference then differ from the start.",
      choice(["float32", "bfloat16"]),
      "float32",
    ),
  }),
], "is not frozen, soft, hard, scheduled, epoch, adaptive or bema");
