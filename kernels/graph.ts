/** The graph: operations record their dispatches, and how gradients flow back through them; nothing runs yet. */
import type { Device } from "./device.ts";
import { elementsOf } from "./elements.ts";
import { elementGroups } from "./rows.ts";
import { type DType, sizeOf, type Storage, type Tensor } from "./tensor.ts";
import zerosWgsl from "./zeros.wgsl" with { type: "text" };

/** A compute shader: WGSL with the entry point `main`, and values for its `override` constants. */
export interface Kernel {
  /** Short name, for profiles and error messages. */
  readonly label: string;
  /** WGSL source. Bindings are numbered in the order of {@linkcode Dispatch.bindings}; uniforms come last. */
  readonly code: string;
  /** Values of `override` declarations. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** How a kernel uses a tensor: `read` only, `write` without reading (all of it, or a part that nothing else writes), or both: `update`. */
export type Access = "read" | "write" | "update";

/** One number of a kernel's uniform block: `u32`, or `f32` when wrapped. */
export type Uniform = number | { readonly f32: number };

/** One launch of a kernel. */
export interface Dispatch {
  /** What to run. */
  readonly kernel: Kernel;
  /** The tensors it touches, in binding order. */
  readonly bindings: readonly (readonly [Tensor, Access])[];
  /** The members of its uniform block, in order. */
  readonly uniforms?: readonly Uniform[];
  /** Workgroups along x, y and z. */
  readonly workgroups: readonly [number, number?, number?];
  /** What the launch has to do at least, for profiles. */
  readonly work?: {
    /** Floating-point operations, where they bound its time. */
    readonly flops?: number;
    /** Bytes read and written, where it doesn't touch all that is bound once. */
    readonly bytes?: number;
  };
}

/** The gradients found so far while walking backwards, by tensor. */
export type Gradients = Map<Tensor, Tensor>;

/** Records the dispatches that turn the gradient of an operation's output into gradients of its inputs. */
export type GradientRule = (outputGradient: Tensor, gradients: Gradients) => void;

/** A recorded computation. Create with {@linkcode createGraph}, run after `compile`. */
export interface Graph {
  /** The device that it is meant for; operations choose kernels by it. */
  readonly device: Device;
  /** What was recorded, in order. */
  readonly dispatches: Dispatch[];
  /** Tensors that the host writes before each run, by name. */
  readonly inputs: Map<string, Tensor>;
  /** Tensors that the host reads after a run, by name. */
  readonly outputs: Map<string, Tensor>;
  /** Operations that gradients flow through, in order. */
  readonly tape: { readonly output: Tensor; readonly rule: GradientRule }[];
  /** Tensors that depend on a trainable parameter. */
  readonly differentiable: Set<Tensor>;
  /** Gradients of parameters whose first contribution, still to be recorded, replaces what they hold. */
  readonly replaced: Set<Tensor>;
}

/** An empty graph for `device`. */
export function createGraph(device: Device): Graph {
  return {
    device,
    dispatches: [],
    inputs: new Map(),
    outputs: new Map(),
    tape: [],
    differentiable: new Set(),
    replaced: new Set(),
  };
}

/** A new tensor whose memory the plan provides between its first and its last use. */
export function temporary(shape: readonly number[], label: string, dtype: DType = "f32"): Tensor {
  const storage: Storage = { kind: "temporary", bytes: sizeOf(shape) * 4, label, offset: 0 };
  return { shape, dtype, storage, offset: 0 };
}

/** A tensor that the host fills before each run, under a name of its own. */
export function input(
  graph: Graph,
  name: string,
  options: { shape: readonly number[]; dtype?: DType },
): Tensor {
  if (graph.inputs.has(name)) throw new Error(`input: the graph already has an input "${name}"`);
  const { shape, dtype = "f32" } = options;
  const tensor: Tensor = {
    shape,
    dtype,
    storage: { kind: "input", bytes: sizeOf(shape) * 4, label: name, offset: 0 },
    offset: 0,
  };
  graph.inputs.set(name, tensor);
  return tensor;
}

/** Lets the host read `tensor` after a run, under `name`. */
export function output(graph: Graph, name: string, tensor: Tensor): void {
  if (graph.outputs.has(name)) throw new Error(`output: the graph already has an output "${name}"`);
  if (tensor.storage.kind === "temporary") tensor.storage.kind = "output";
  graph.outputs.set(name, tensor);
}

/** Records one launch. */
export function dispatch(graph: Graph, launch: Dispatch): void {
  graph.dispatches.push(launch);
}

/** Whether a gradient has to reach `tensor`. */
export function needsGradient(graph: Graph, tensor: Tensor): boolean {
  return tensor.gradient !== undefined || graph.differentiable.has(tensor);
}

/** Registers how gradients pass through an operation, if any of its inputs needs one. */
export function differentiate(
  graph: Graph,
  operation: { output: Tensor; inputs: readonly Tensor[]; rule: GradientRule },
): void {
  if (!operation.inputs.some((tensor) => needsGradient(graph, tensor))) return;
  graph.differentiable.add(operation.output);
  graph.tape.push({ output: operation.output, rule: operation.rule });
}

/**
 * Whether the contribution to a parameter's gradient that is about to be recorded has to replace what the gradient holds:
 * the first of a pass that starts from zero. Otherwise it has to be added. Asking counts as recording it.
 *
 * @param gradient A parameter's `gradient`.
 */
export function replacesGradient(graph: Graph, gradient: Tensor): boolean {
  return graph.replaced.delete(gradient);
}

/**
 * Records the backward pass: walks the tape from the last operation to the first.
 *
 * Gradients of parameters are added to their `gradient` tensors, so several runs accumulate, but for those in
 * `replacing`: they start from zero, without being cleared before.
 *
 * @param seeds The gradient of the result with respect to some tensors of the graph.
 * @param options.replacing Gradients of parameters that hold this pass alone after it; zero where nothing reaches them.
 */
export function backward(
  graph: Graph,
  seeds: Gradients,
  { replacing = [] }: { replacing?: Iterable<Tensor> } = {},
): void {
  for (const gradient of replacing) graph.replaced.add(gradient);
  passBack(graph.tape, new Map(seeds));
  for (const gradient of graph.replaced) recordZeros(graph, gradient);
  graph.replaced.clear();
}

/**
 * Takes gradients back through the operations of a tape, from the last to the first, and leaves those of what comes
 * before them.
 */
export function passBack(tape: Graph["tape"], gradients: Gradients): void {
  for (const { output, rule } of tape.toReversed()) {
    const gradient = gradients.get(output);
    if (gradient === undefined) continue;
    gradients.delete(output);
    rule(gradient, gradients);
  }
}

/** Records zeros for a gradient that a pass starts from and reaches only in part, or not at all. */
export function recordZeros(graph: Graph, gradient: Tensor): void {
  const { header, perRow } = elementsOf(sizeOf(gradient.shape));
  dispatch(graph, {
    kernel: { label: "zeros", code: header + zerosWgsl },
    bindings: [[gradient, "write"]],
    uniforms: [perRow],
    workgroups: elementGroups(perRow),
  });
}
