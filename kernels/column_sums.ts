/** Sums over rows: the gradients of what is shared by all rows, biases and weights of norms. */
import columnSumsWgsl from "./column_sums.wgsl" with { type: "text" };
import { elementsOf } from "./elements.ts";
import { dispatch, type Graph, replacesGradient, temporary } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

/** Rows that one workgroup sums; where there are more, sums of blocks are summed in a second stage. */
export const ROW_BLOCK = 64;

/**
 * Adds the sums over the rows of `x` to `into`, or replaces it where a gradient starts from zero.
 *
 * @param x [rows, channels].
 * @param into [channels], a parameter's gradient.
 * @throws If the sizes don't match.
 */
export function columnSums(graph: Graph, x: Tensor, into: Tensor): void {
  const [rows = 0, channels = 0] = x.shape;
  if (x.shape.length !== 2 || into.shape.join() !== `${channels}`) {
    throw new RangeError(
      `columnSums: x is [${x.shape}] and into is [${into.shape}]; wanted [rows, channels] and [channels]`,
    );
  }
  if (rows <= ROW_BLOCK) return sumBlocks(graph, x, { into, block: rows });
  const partials = temporary([Math.ceil(rows / ROW_BLOCK), channels], "column sums of blocks");
  sumBlocks(graph, x, { into: partials, block: ROW_BLOCK });
  columnSums(graph, partials, into);
}

/** Sums each block of rows: into a row of its own, or, if there is but one, into the gradient itself. */
function sumBlocks(graph: Graph, x: Tensor, { into, block }: { into: Tensor; block: number }): void {
  const [rows = 0, channels = 0] = x.shape;
  const { header, perRow } = elementsOf(channels);
  const isLast = into.shape.length === 1;
  const adds = isLast && !replacesGradient(graph, into);
  dispatch(graph, {
    kernel: {
      label: isLast ? "column sums" : "column sums of blocks",
      code: header + columnSumsWgsl,
      constants: { ELEMENTS: perRow, ADD: adds ? 1 : 0 },
    },
    bindings: [[x, "read"], [into, adds ? "update" : "write"]],
    uniforms: [rows, block],
    workgroups: [Math.ceil(perRow / 64), Math.ceil(rows / block)],
  });
}
