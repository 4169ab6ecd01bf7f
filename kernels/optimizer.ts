/** The optimizer's kernels over whole parameter sets: gradient norm and clipping, AdamW, and the reference's mix. */
import adamwWgsl from "./adamw.wgsl" with { type: "text" };
import bemaWgsl from "./bema.wgsl" with { type: "text" };
import clipFactorWgsl from "./clip_factor.wgsl" with { type: "text" };
import { dispatch, type Graph, temporary } from "./graph.ts";
import mixWgsl from "./mix.wgsl" with { type: "text" };
import type { ParameterSet } from "./parameters.ts";
import { groupReduction } from "./row_reduction.ts";
import { elementGroups } from "./rows.ts";
import squareSumsWgsl from "./square_sums.wgsl" with { type: "text" };
import { externalTensor, type Tensor } from "./tensor.ts";

/** Constants of AdamW. */
export interface AdamwOptions {
  /** Decay rates of the first and second moments. */
  betas: readonly [number, number];
  /** Added to the root of the second moment. */
  epsilon: number;
  /** Decoupled decay of tensors of two or more dimensions. */
  weightDecay: number;
}

/** A segment of a set as one flat tensor. */
function flat(set: ParameterSet, segment: number): Tensor {
  const buffer = set.buffers[segment]!;
  return externalTensor(buffer, { shape: [set.layout.segments[segment]!.bytes / 4] });
}

/** Workgroups that sum the squares of a segment: enough to fill a GPU. */
const MAXIMUM_PARTIALS = 1024;

/**
 * The global L2 norm of a gradient and the factor that clips it.
 *
 * @param gradients The set.
 * @param options.limit The largest norm allowed, or null not to clip.
 * @returns [4]: norm, factor min(1, limit / (norm + 1e-6)), 1 if the norm is finite else 0, unused.
 */
export function gradientNorm(
  graph: Graph,
  gradients: ParameterSet,
  { limit }: { limit: number | null },
): Tensor {
  const counts = gradients.layout.segments.map(({ bytes }) =>
    Math.min(MAXIMUM_PARTIALS, Math.ceil(bytes / 16 / 256))
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  const partials = temporary([total], "norm partials");
  let offset = 0;
  counts.forEach((count, segment) => {
    dispatch(graph, {
      kernel: { label: "square sums", code: groupReduction(graph.device) + squareSumsWgsl },
      bindings: [[flat(gradients, segment), "read"], [partials, "write"]],
      uniforms: [gradients.layout.segments[segment]!.bytes / 16, offset],
      workgroups: [count],
    });
    offset += count;
  });
  const norm = temporary([4], "gradient norm");
  dispatch(graph, {
    kernel: { label: "clip factor", code: clipFactorWgsl, constants: { LIMIT: limit ?? 0 } },
    bindings: [[partials, "read"], [norm, "write"]],
    uniforms: [total],
    workgroups: [1],
  });
  return norm;
}

/**
 * One AdamW step over a parameter set. A gradient whose norm is not finite changes nothing.
 *
 * @param sets Parameters, their gradients and both moments, of one layout.
 * @param options.step [4]: learning rate, 1 − β₁ᵗ, 1 − β₂ᵗ, unused.
 * @param options.norm What {@linkcode gradientNorm} returned.
 */
export function adamw(
  graph: Graph,
  sets: { parameters: ParameterSet; gradients: ParameterSet; first: ParameterSet; second: ParameterSet },
  options: AdamwOptions & { step: Tensor; norm: Tensor },
): void {
  const { betas: [beta1, beta2], epsilon, weightDecay, step, norm } = options;
  const constants = { BETA1: beta1, BETA2: beta2, EPSILON: epsilon, DECAY: weightDecay };
  sets.parameters.layout.segments.forEach(({ bytes, decayed }, segment) => {
    dispatch(graph, {
      kernel: { label: "adamw", code: adamwWgsl, constants },
      bindings: [
        [flat(sets.parameters, segment), "update"],
        [flat(sets.gradients, segment), "read"],
        [flat(sets.first, segment), "update"],
        [flat(sets.second, segment), "update"],
        [step, "read"],
        [norm, "read"],
      ],
      uniforms: [bytes / 16, decayed / 4],
      workgroups: elementGroups(bytes / 16),
    });
  });
}

/**
 * reference ← α policy + (1 − α) reference over whole sets; α = 1 copies exactly.
 *
 * @param options.alpha [4], α first.
 */
export function mixParameters(
  graph: Graph,
  sets: { reference: ParameterSet; policy: ParameterSet },
  { alpha }: { alpha: Tensor },
): void {
  sets.reference.layout.segments.forEach(({ bytes }, segment) => {
    dispatch(graph, {
      kernel: { label: "reference mix", code: mixWgsl },
      bindings: [[flat(sets.reference, segment), "update"], [flat(sets.policy, segment), "read"], [
        alpha,
        "read",
      ]],
      uniforms: [bytes / 16],
      workgroups: elementGroups(bytes / 16),
    });
  });
}

/**
 * average ← α policy + (1 − α) average, then reference ← average + b (policy − initial), over whole sets.
 *
 * @param sets Of one layout.
 * @param options.alpha [4], α first, then b.
 */
export function mixAverage(
  graph: Graph,
  sets: { reference: ParameterSet; average: ParameterSet; policy: ParameterSet; initial: ParameterSet },
  { alpha }: { alpha: Tensor },
): void {
  sets.reference.layout.segments.forEach(({ bytes }, segment) => {
    dispatch(graph, {
      kernel: { label: "reference average", code: bemaWgsl },
      bindings: [
        [flat(sets.reference, segment), "write"],
        [flat(sets.average, segment), "update"],
        [flat(sets.policy, segment), "read"],
        [flat(sets.initial, segment), "read"],
        [alpha, "read"],
      ],
      uniforms: [bytes / 16],
      workgroups: elementGroups(bytes / 16),
    });
  });
}
