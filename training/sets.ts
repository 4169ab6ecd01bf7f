/** The parameter sets of a run, and the models that they amount to. */
import type { Adapter } from "../kernels/adapter.ts";
import type { Device } from "../kernels/device.ts";
import {
  createParameters,
  layoutParameters,
  maximumSegmentBytes,
  type ParameterSet,
  type ParameterSpec,
} from "../kernels/parameters.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { modelParameters } from "../models/families/mod.ts";
import type { ModelParameter } from "../models/parameters.ts";
import type { Weights } from "../models/transformer.ts";
import { adaptersOf, adapterSpecs } from "../models/lora/layout.ts";
import { wholeParameters } from "../models/lora/values.ts";
import type { StoredParameter } from "../models/weights.ts";
import type { EngineOptions, EngineSets, PolicyName } from "./engine_options.ts";

/** Allocates the sets that a run needs; all are zero. */
export async function createSets(device: Device, options: EngineOptions): Promise<EngineSets> {
  const { config, lora, reference } = options;
  const maximumBytes = maximumSegmentBytes(device);
  const layoutOf = (specs: readonly ParameterSpec[]) => layoutParameters(specs, { maximumBytes });
  const model = modelParameters(config);
  const trained = layoutOf(lora === undefined ? model : lora.layout.specs);
  const create = (label: string, { layout = trained, gradients }: {
    layout?: typeof trained;
    gradients?: ParameterSet;
  } = {}) => createParameters(device, { layout, label, ...(gradients ? { gradients } : {}) });

  const gradients = await create("gradients");
  return {
    gradients,
    base: lora === undefined ? null : await create("base", { layout: layoutOf(stored(model, lora.base)) }),
    policy: await create("policy", { gradients }),
    reference: await createReference(),
    initial: !isMoving(reference) || (lora !== undefined && !lora.continued)
      ? null
      : await create("initial reference"),
    average: reference === "averaged" ? await create("reference average") : null,
    first: await create("first moments"),
    second: await create("second moments"),
  };

  function createReference(): Promise<ParameterSet> | null {
    if (reference === "none") return null;
    if (lora === undefined) {
      return create("reference", { layout: layoutOf(stored(model, options.referenceDtype ?? "float32")) });
    }
    // An adapter that starts at zero leaves its base as the reference.
    if (reference === "frozen" && !lora.continued) return null;
    return create("reference", { layout: layoutOf(adapterSpecs(lora.layout.weights, lora.snapshots)) });
  }
}

/** A model's parameters with its matrices in a type; where that is float32, as they are trained. */
function stored(
  parameters: readonly ModelParameter[],
  dtype: "float32" | "bfloat16",
): readonly ParameterSpec[] {
  if (dtype === "float32") return parameters;
  return parameters.map(({ name, shape, kind }) => ({
    name,
    shape,
    dtype: kind === "vector" ? "f32" : "bf16",
  }));
}

/** What the tensors of each set are called in files. */
export function storedParameters(
  { config, lora }: Pick<EngineOptions, "config" | "lora">,
): Readonly<Record<keyof EngineSets, readonly StoredParameter[]>> {
  const model = modelParameters(config);
  const trained = lora === undefined ? model : wholeParameters(lora.layout.specs);
  const reference = lora === undefined
    ? model
    : wholeParameters(adapterSpecs(lora.layout.weights, lora.snapshots));
  const [policy, gradients, first, second, initial, average] = Array(6).fill(trained);
  return { base: model, policy, reference, initial, average, gradients, first, second };
}

/** Whether the reference follows the policy. */
export function isMoving(reference: EngineOptions["reference"]): boolean {
  return reference === "moving" || reference === "averaged";
}

/** The policies that there are to compare with. */
export function comparedPolicies(reference: EngineOptions["reference"]): ("reference" | "initial")[] {
  if (reference === "none") return [];
  return isMoving(reference) ? ["reference", "initial"] : ["reference"];
}

/**
 * One of a run's models, for its forward pass.
 *
 * @param options.trained Keep the gradient tensors, so that a backward pass reaches them; default false.
 */
export function policyWeights(
  name: PolicyName,
  { sets, lora, trained = false }: { sets: EngineSets; lora: EngineOptions["lora"]; trained?: boolean },
): Weights {
  const set = sets[name];
  const tensors = set === null ? new Map() : trained ? set.tensors : withoutGradients(set);
  if (lora === undefined) return trained ? set! : { get: (parameter) => frozen(set!.get(parameter)) };
  const base = sets.base!;
  const count = name === "reference" ? lora.snapshots : 1;
  const adapters: ReadonlyMap<string, Adapter> = set === null
    ? new Map()
    : adaptersOf(lora.layout, tensors, { count, scaled: name === "reference" });
  return { get: (parameter) => base.get(parameter), adapters };
}

/** The tensors of a set without their gradients, so that nothing is kept for a backward pass. */
function withoutGradients(set: ParameterSet): Map<string, Tensor> {
  return new Map([...set.tensors].map(([name, tensor]) => [name, withoutGradient(tensor)]));
}

function withoutGradient({ gradient: _, ...tensor }: Tensor): Tensor {
  return tensor;
}

function frozen(weight: ReturnType<Weights["get"]>): ReturnType<Weights["get"]> {
  if (weight === undefined) return undefined;
  return "shape" in weight ? withoutGradient(weight) : weight.map(withoutGradient);
}
