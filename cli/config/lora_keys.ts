/**
 * The `model.lora` section: adapters that are trained in place of the model's own weights.
 *
 * @module
 */
import * as v from "valibot";
import {
  choice,
  derivedKey,
  key,
  names,
  number,
  numbersByName,
  orNull,
  switchedOn,
  text,
  wholeNumber,
  wholeNumbers,
} from "./keys.ts";

const LAYERS = "names of layers, one regular expression, or all-linear";

/** Adapters; absent, all weights are trained. */
export const loraSection = v.object({
  path: key(
    "Directory of an adapter in PEFT's layout to go on from; its config then says rank, targets and so on. Null starts a " +
      "new one.",
    orNull(text("a path")),
    null,
  ),
  rank: derivedKey(
    "r, the rank of the product B A that is added to a weight.",
    wholeNumber({ min: 1 }),
    "16",
  ),
  alpha: derivedKey("The product counts alpha / rank times.", number({ above: 0 }), "twice the rank"),
  targets: derivedKey(
    "The linear layers that get adapters, as PEFT's target_modules; all-linear is every one but the head.",
    names(LAYERS),
    "all-linear",
  ),
  exclude: derivedKey("Layers that get none all the same, as PEFT's exclude_modules.", names(LAYERS), "none"),
  layers: derivedKey("The blocks whose layers get adapters, from 0.", wholeNumbers({ min: 0 }), "all"),
  use_rslora: derivedKey("Count the product alpha / sqrt(rank) times instead.", switchedOn(), "false"),
  rank_pattern: derivedKey("Other ranks for some layers, by name.", numbersByName(), "none"),
  alpha_pattern: derivedKey("Other alphas for some layers, by name.", numbersByName(), "none"),
  base: key(
    "How the frozen matrices are stored on the device; bfloat16 takes half the memory, and rounds weights that are finer.",
    choice(["float32", "bfloat16"]),
    "float32",
  ),
  snapshots: derivedKey(
    "Past adapters that a reference which moves softly may consist of.",
    wholeNumber({ min: 1 }),
    "as many as keep it exact",
  ),
  merge: key(
    "Whether the trained policy is also written as a whole model, with the adapter merged.",
    switchedOn(),
    true,
  ),
});
