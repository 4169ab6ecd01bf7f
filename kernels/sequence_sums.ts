/** Sums of token values over their sequences. */
import { differentiate, dispatch, type Graph, temporary } from "./graph.ts";
import { elementGroups, lanesPerRow, ROW_THREADS, rowGroups } from "./rows.ts";
import sumsWgsl from "./sequence_sums.wgsl" with { type: "text" };
import gradientWgsl from "./sequence_sums_gradient.wgsl" with { type: "text" };
import type { Tensor } from "./tensor.ts";

const UNWEIGHTED = `const SIZES = 3;
fn weight_of(slot: u32) -> f32 { return 1.0; }
`;

const WEIGHTED = `const SIZES = 4;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
fn weight_of(slot: u32) -> f32 { return weights[slot]; }
`;

/**
 * Σ of `x` over each sequence's slots, in order.
 *
 * @param x [slots], one value a completion token.
 * @param options.starts u32 [sequences + 1]: where each sequence starts.
 * @param options.weights [slots], a factor on each value; all count 1 by default.
 * @param options.sequenceOf u32 [slots]: the sequence of each slot; `sequences` or more for padding.
 * @returns [sequences].
 */
export function sequenceSums(
  graph: Graph,
  x: Tensor,
  { starts, sequenceOf, weights }: { starts: Tensor; sequenceOf: Tensor; weights?: Tensor },
): Tensor {
  const sequences = starts.shape[0]! - 1;
  const slots = x.shape[0]!;
  const lanes = lanesPerRow(graph.device, slots / sequences);
  const header = weights === undefined ? UNWEIGHTED : WEIGHTED;
  const weighted = weights === undefined ? [] : [[weights, "read"] as const];
  const sums = temporary([sequences], "sequence sums");
  dispatch(graph, {
    kernel: { label: "sequence sums", code: header + sumsWgsl, constants: { LANES: lanes } },
    bindings: [[x, "read"], [starts, "read"], [sums, "write"], ...weighted],
    uniforms: [sequences],
    workgroups: rowGroups(sequences, ROW_THREADS / lanes),
  });
  differentiate(graph, {
    output: sums,
    inputs: [x],
    rule: (gradient, gradients) => {
      const dx = temporary(x.shape, "token gradient");
      dispatch(graph, {
        kernel: { label: "sequence sums gradient", code: header + gradientWgsl },
        bindings: [[sequenceOf, "read"], [gradient, "read"], [dx, "write"], ...weighted],
        uniforms: [slots, sequences],
        workgroups: elementGroups(slots),
      });
      gradients.set(x, dx);
    },
  });
  return sums;
}
