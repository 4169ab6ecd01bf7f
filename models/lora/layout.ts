/** Where the adapters of a model go: which weights have some, of what rank, and the tensors they consist of. */
import type { Adapter } from "../../kernels/adapter.ts";
import type { ParameterSpec } from "../../kernels/parameters.ts";
import type { Tensor } from "../../kernels/tensor.ts";
import type { ModelParameter, ParameterPart, RowSlice } from "../parameters.ts";
import { checkLoraSettings, isTarget, type LoraScale, type LoraSettings, scaleOf } from "./settings.ts";

/** A layer with an adapter. */
export interface AdaptedLayer extends LoraScale {
  /** Its name in the model's file, without `.weight`. */
  readonly name: string;
  /** [outputs, inputs], however its weight is stored. */
  readonly shape: readonly [number, number];
  /** Its first output among those of the fused weight. */
  readonly start: number;
  /** Where the rows of B go, if not all in their order. */
  readonly slices?: readonly RowSlice[];
}

/** The adapters of one weight of the model. */
export interface AdaptedWeight {
  /** The weight's name as a parameter. */
  readonly name: string;
  /** Rows of A for each layer: the largest of their ranks, rounded up to a multiple of 4; the rest stays zero. */
  readonly rank: number;
  /** The layers of the weight that have adapters. */
  readonly layers: readonly AdaptedLayer[];
}

/** All adapters of a model, as tensors of one parameter set. */
export interface AdapterLayout {
  /** What they were made by. */
  readonly settings: LoraSettings;
  /** By weight. */
  readonly weights: readonly AdaptedWeight[];
  /** The tensors: `….lora_A` [layers · rank, inputs] of each weight and `….lora_B.i` [outputs, rank] of each layer. */
  readonly specs: readonly ParameterSpec[];
}

/** Numbers that kernels read at a time. */
const VECTOR = 4;

/**
 * Finds the layers that settings name and lays out their adapters.
 *
 * @param parameters The model's, as `modelParameters` lists them.
 * @throws If a target names no linear layer, a setting is out of range, or nothing would be trained.
 */
export function layoutAdapters(
  parameters: readonly ModelParameter[],
  settings: LoraSettings,
): AdapterLayout {
  checkLoraSettings(settings);
  const linear = parameters.filter(isLinear);
  checkTargets(linear.flatMap(({ parts }) => parts.map(layerName)), settings);
  const weights = linear.flatMap((parameter) => adaptedWeight(parameter, settings) ?? []);
  if (weights.length === 0) {
    throw new Error("LoRA: no layer is left to train; change targets, exclude or layers");
  }
  return { settings, weights, specs: adapterSpecs(weights, 1) };
}

/** The tensors of `count` adapters of each weight beside each other: A [layers · count · rank, inputs], B [outputs, count · rank]. */
export function adapterSpecs(weights: readonly AdaptedWeight[], count: number): ParameterSpec[] {
  return weights.flatMap(({ name, rank, layers }) => [
    { name: nameOfA(name), shape: [layers.length * count * rank, layers[0]!.shape[1]] },
    ...layers.map(({ shape }, index) => ({ name: nameOfB(name, index), shape: [shape[0], count * rank] })),
  ]);
}

/** Name of a weight's A in a parameter set. */
export function nameOfA(weight: string): string {
  return `${weight}.lora_A`;
}

/** Name of a layer's B in a parameter set. */
export function nameOfB(weight: string, index: number): string {
  return `${weight}.lora_B.${index}`;
}

/**
 * The adapters of a parameter set by weight, for the model's forward pass.
 *
 * @param tensors The set's, laid out by {@linkcode adapterSpecs} for `count` adapters.
 * @param options.count How many; more than one is their sum, each B scaled already. Default 1.
 */
export function adaptersOf(
  { weights }: Pick<AdapterLayout, "weights">,
  tensors: ReadonlyMap<string, Tensor>,
  { count, scaled = false }: { count: number; scaled?: boolean } = { count: 1 },
): Map<string, Adapter> {
  return new Map(weights.map(({ name, rank, layers }) => [name, {
    a: tensors.get(nameOfA(name))!,
    rank: count * rank,
    parts: layers.map(({ start, scale }, index) => ({
      start,
      scale: scaled ? 1 : scale,
      b: tensors.get(nameOfB(name, index))!,
    })),
  }]));
}

/** Numbers that are trained, without the zeros that ranks are padded with. */
export function countTrained({ weights }: AdapterLayout): number {
  return weights.flatMap(({ layers }) => layers)
    .reduce((sum, { rank, shape: [outputs, inputs] }) => sum + rank * (outputs + inputs), 0);
}

/** A matrix that a linear layer multiplies with. */
function isLinear({ kind }: ModelParameter): boolean {
  return kind === "linear";
}

function layerName({ name }: ParameterPart): string {
  return name.replace(/\.weight$/, "");
}

function adaptedWeight(parameter: ModelParameter, settings: LoraSettings): AdaptedWeight | undefined {
  let start = 0;
  const layers: AdaptedLayer[] = [];
  for (const part of parameter.parts) {
    const shape = parameter.transposed ? part.shape.toReversed() : part.shape;
    const [outputs, inputs] = shape as [number, number];
    const name = layerName(part);
    const slices = part.slices === undefined ? {} : { slices: part.slices };
    if (isTarget(name, settings)) {
      layers.push({ name, shape: [outputs, inputs], start, ...slices, ...scaleOf(name, settings) });
    }
    start += outputs;
  }
  if (layers.length === 0) return undefined;
  const largest = Math.max(...layers.map(({ rank }) => rank));
  return { name: parameter.name, rank: Math.ceil(largest / VECTOR) * VECTOR, layers };
}

/** Every target has to name something: a misspelt one would silently train less. */
function checkTargets(names: readonly string[], settings: LoraSettings): void {
  const { targets } = settings;
  const wanted = typeof targets === "string" ? [targets] : targets;
  for (const target of wanted) {
    const one = typeof targets === "string" ? target : [target];
    if (names.some((name) => isTarget(name, { rank: 1, alpha: 1, targets: one }))) continue;
    const known = [...new Set(names.map((name) => name.split(".").at(-1)!))].join(", ");
    throw new Error(`LoRA: the target ${target} is no linear layer of this model; it has ${known}`);
  }
}
