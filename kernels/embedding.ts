/** Looking up rows of a table (embedding) or of activations (gather), with gradients that need no atomics. */
import embeddingWgsl from "./embedding.wgsl" with { type: "text" };
import packedEmbeddingWgsl from "./embedding_bf16.wgsl" with { type: "text" };
import { differentiate, dispatch, type Graph, needsGradient, temporary } from "./graph.ts";
import { elementGroups } from "./rows.ts";
import sumListedRowsWgsl from "./sum_listed_rows.wgsl" with { type: "text" };
import type { Tensor } from "./tensor.ts";

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
 * or, frozen, bfloat16) or an activation (its gradient is written whole: then `lists` must have one list for each row of the table, in order).
 * @param options.indices u32 [rows].
 * @param options.lists Where each row of the table is used; needed only if a gradient flows.
 * @returns [rows, channels].
 * @throws If the channels are not a multiple of 4.
 */
export function lookUp(graph: Graph, table: Tensor, options: { indices: Tensor; lists?: RowLists }): Tensor {
  const { indices, lists } = options;
  const [entries = 0, channels = 0] = table.shape;
  const [rows = 0] = indices.shape;
  if (channels % 4 !== 0) {
    throw new RangeError(`lookUp: the table is [${table.shape}]; its width must be a multiple of 4`);
  }
  const y = temporary([rows, channels], "look-up");
  dispatch(graph, {
    kernel: {
      label: "look-up",
      code: table.dtype === "bf16" ? packedEmbeddingWgsl : embeddingWgsl,
      constants: { VECTORS: channels / 4 },
    },
    bindings: [[table, "read"], [indices, "read"], [y, "write"]],
    uniforms: [rows],
    workgroups: elementGroups(rows * channels / 4),
  });
  differentiate(graph, {
    output: y,
    inputs: [table],
    rule: (gradient, gradients) => {
      if (lists === undefined) throw new Error("lookUp: a gradient flows through it, so it needs `lists`");
      const count = lists.targets.shape[0]!;
      const isParameter = table.gradient !== undefined;
      if (!isParameter && (!needsGradient(graph, table) || gradients.has(table) || count !== entries)) {
        throw new Error(
          `lookUp: ${count} lists for the ${entries} rows of an activation that nothing else uses`,
        );
      }
      const into = table.gradient ?? temporary(table.shape, "look-up gradient");
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
        uniforms: [count],
        workgroups: elementGroups(count * channels / 4),
      });
      if (!isParameter) gradients.set(table, into);
    },
  });
  return y;
}
