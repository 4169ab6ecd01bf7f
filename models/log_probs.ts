/** Log-probabilities of the completions of a packed batch under a model. */
import { lookUp } from "../kernels/embedding.ts";
import { type Graph, input } from "../kernels/graph.ts";
import { sequenceSums } from "../kernels/sequence_sums.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { tokenLogProbs } from "../kernels/token_log_probs.ts";
import type { LlamaConfig } from "./files/llama_config.ts";
import { attendWithin, llama, llamaFinalNorm, llamaHead, type Weights } from "./llama.ts";

/** Sizes of a packed batch. */
export interface BatchSizes {
  /** Token positions. */
  readonly rows: number;
  /** Completion tokens. */
  readonly slots: number;
  /** Completions. */
  readonly sequences: number;
}

/** The inputs of a packed batch as tensors, named like the arrays of `PackedBatch` in `@tr/align/data`. */
export type BatchInputs = Readonly<
  Record<
    | "tokens"
    | "positions"
    | "spans"
    | "slot_rows"
    | "slot_targets"
    | "slot_sequences"
    | "sequence_starts"
    | "lengths"
    | "token_list_targets"
    | "token_list_starts"
    | "token_list_rows"
    | "row_list_targets"
    | "row_list_starts"
    | "row_list_rows",
    Tensor
  >
>;

function batchShapes({ rows, slots, sequences }: BatchSizes): Record<keyof BatchInputs, number[]> {
  return {
    tokens: [rows],
    positions: [rows],
    spans: [rows, 4],
    slot_rows: [slots],
    slot_targets: [slots],
    slot_sequences: [slots],
    sequence_starts: [sequences + 1],
    lengths: [sequences],
    token_list_targets: [rows],
    token_list_starts: [rows + 1],
    token_list_rows: [rows],
    row_list_targets: [rows],
    row_list_starts: [rows + 1],
    row_list_rows: [slots],
  };
}

/** Declares the inputs of a packed batch; the host fills them with what `packGroups` of `@tr/align/data` returns. */
export function batchInputs(graph: Graph, sizes: BatchSizes): BatchInputs {
  const entries = Object.entries(batchShapes(sizes)).map(([name, shape]) => {
    const dtype = name === "lengths" ? "f32" : "u32";
    return [name, input(graph, name, { shape, dtype })];
  });
  return Object.fromEntries(entries) as BatchInputs;
}

/**
 * The model over a packed batch.
 *
 * @param weights The policy's weights (gradients flow if they have gradient tensors) or a reference's.
 * @param options.tables From `rotaryTables`.
 * @returns `token`: [slots], the log-probability of every completion token; `sequence`: [sequences], their sums.
 */
export function completionLogProbs(
  graph: Graph,
  weights: Weights,
  options: { config: LlamaConfig; batch: BatchInputs; tables: { cosines: Tensor; sines: Tensor } },
): { token: Tensor; sequence: Tensor } {
  const { config, batch, tables } = options;
  const hidden = llama(graph, weights, {
    config,
    inputs: {
      tokens: batch.tokens,
      positions: batch.positions,
      ...tables,
      tokenLists: {
        targets: batch.token_list_targets,
        starts: batch.token_list_starts,
        rows: batch.token_list_rows,
      },
    },
    attend: attendWithin(graph, config, { spans: batch.spans }),
  }); // [rows, C]
  const predicting = lookUp(graph, hidden, {
    indices: batch.slot_rows,
    lists: { targets: batch.row_list_targets, starts: batch.row_list_starts, rows: batch.row_list_rows },
  }); // [slots, C]
  const normed = llamaFinalNorm(graph, predicting, { config, weights });
  const token = tokenLogProbs(graph, normed, {
    head: llamaHead(config, weights),
    targets: batch.slot_targets,
  });
  const sequence = sequenceSums(graph, token, {
    starts: batch.sequence_starts,
    sequenceOf: batch.slot_sequences,
  });
  return { token, sequence };
}
