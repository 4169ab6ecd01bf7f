/** Looking up rows of a table (embedding) or of activations (gather), with gradients that need no atomics. */
import embeddingWgsl from "./embedding.wgsl" with { type: "text" };
import packedEmbeddingWgsl from "./embedding_bf16.wgsl" with { type: "text" };
import {
  differentiate,
  dispatch,
  type Graph,
  needsGradient,
  recordZeros,
  replacesGradient,
  temporary,
} from "./graph.ts";
import { elementGroups } from "./rows.ts";
import sumListedRowsWgsl from "./sum_listed_rows.wgsl" with { type: "text" };
import type { Tensor } from "./tensor.ts";
import { type MatrixPart, partsOf, sizesOf } from "./weight_parts.ts";

/**
 * Where each looked-up row is used, sorted by row on the host: list i says which results came from row `targets[i]`.
 * Summing a list in order makes the gradient the same on every run.
 */
export interface RowLists {
  /** u32 [lists]: the row that list i belongs to; distinct. Lists beyond the last used one are empty. */
  targets: Tensor;
  /** u32 [lists + 1]: where each list starts in `rows`. */
  starts: Tensor;
  /** u32: the results, list after list. */
  rows: Tensor;
}

/**
 * Row `indices[i]` of `table` for every i.
 *
 * @param table [entries, channels]; channels must be a multiple of 4. A parameter (its gradient is added to; in float32
 * or, frozen, bfloat16; a list of parameters where one can't hold it: rows that continue each other) or an activation
 * (its gradient is written whole: then `lists` must have one list for each row of the table, in order).
 * @param options.indices u32 [rows].
 * @param options.lists Where each row of the table is used; needed only if a gradient flows.
 * @returns [rows, channels].
 * @throws If the channels are not a multiple of 4.
 */
export function lookUp(
  graph: Graph,
  table: Tensor | readonly Tensor[],
  options: { indices: Tensor; lists?: RowLists },
): Tensor {
  const { indices, lists } = options;
  const parts = partsOf(table);
  const [, channels] = sizesOf(table);
  const [rows = 0] = indices.shape;
  if (channels % 4 !== 0) {
    throw new RangeError(
      `lookUp: the table is [${parts[0]!.tensor.shape}]; its width must be a multiple of 4`,
    );
  }
  const y = temporary([rows, channels], "look-up");
  parts.forEach(({ tensor }, index) =>
    dispatch(graph, {
      kernel: {
        label: "look-up",
        code: tensor.dtype === "bf16" ? packedEmbeddingWgsl : embeddingWgsl,
        constants: { VECTORS: channels / 4 },
      },
      bindings: [[tensor, "read"], [indices, "read"], [y, "write"]],
      uniforms: [rows, ...rangeOf(parts, index)],
      workgroups: elementGroups(rows * channels / 4),
      work: { bytes: 2 * 4 * rows * channels },
    })
  );
  differentiate(graph, {
    output: y,
    inputs: parts.map(({ tensor }) => tensor),
    rule: (gradient, gradients) => {
      if (lists === undefined) throw new Error("lookUp: a gradient flows through it, so it needs `lists`");
      const count = lists.targets.shape[0]!;
      parts.forEach(({ tensor }, index) => {
        const isParameter = tensor.gradient !== undefined;
        if (!isParameter && !needsGradient(graph, tensor)) return;
        if (!isParameter && (gradients.has(tensor) || count !== tensor.shape[0] || parts.length > 1)) {
          throw new Error(
            `lookUp: ${count} lists for the ${tensor.shape[0]} rows of an activation that nothing else uses` +
              (parts.length > 1 ? "; only parameters may come in parts" : ""),
          );
        }
        const into = tensor.gradient ?? temporary(tensor.shape, "look-up gradient");
        // Only the rows that were looked up are written below.
        if (replacesGradient(graph, into)) recordZeros(graph, into);
        dispatch(graph, {
          kernel: {
            label: "look-up gradient",
            code: sumListedRowsWgsl,
            constants: { VECTORS: channels / 4, ADD: isParameter ? 1 : 0 },
          },
          bindings: [
            [gradient, "read"],
            [lists.targets, "read"],
            [lists.starts, "read"],
            [lists.rows, "read"],
            [into, isParameter ? "update" : "write"],
          ],
          uniforms: [count, ...rangeOf(parts, index)],
          workgroups: elementGroups(count * channels / 4),
          work: { bytes: 4 * channels * (rows + (isParameter ? 2 : 1) * count) },
        });
        if (!isParameter) gradients.set(tensor, into);
      });
    },
  });
  return y;
}

/** The first row of a part and how many are its own; the last has all that follow, so that every index has a part. */
function rangeOf(parts: readonly MatrixPart[], index: number): [first: number, entries: number] {
  const [start, end] = parts[index]!.rows;
  // Indices before `start`, less it, wrap around to 2³² − start and more.
  return [start, index === parts.length - 1 ? Math.min(2 ** 32 - 1, 2 ** 32 - start) : end - start];
}
