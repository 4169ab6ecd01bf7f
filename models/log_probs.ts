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
export type BatchInputs =
  & Readonly<
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
  >
  & {
    /** What each completion token counts in its sequence's sum; all count 1 where it is absent. */
    readonly slot_weights?: Tensor;
  };

function batchShapes({ rows, slots, sequences }: BatchSizes): Record<string, number[]> {
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

/**
 * Declares the inputs of a packed batch; the host fills them with what `packGroups` of `@tr/align/data` returns.
 *
 * @param options.weighted Whether tokens have weights; `packGroups` then needs a `tailWeight`.
 */
export function batchInputs(
  graph: Graph,
  sizes: BatchSizes,
  { weighted = false }: { weighted?: boolean } = {},
): BatchInputs {
  const shapes = { ...batchShapes(sizes), ...(weighted ? { slot_weights: [sizes.slots] } : {}) };
  const entries = Object.entries(shapes).map(([name, shape]) => {
    const dtype = name === "lengths" || name === "slot_weights" ? "f32" : "u32";
    return [name, input(graph, name, { shape, dtype })];
  });
  return Object.fromEntries(entries) as BatchInputs;
}

/** Log-probs of a packed batch's completions under one model, and how others compare. */
export interface CompletionLogProbs {
  /** [slots], of every completion token. */
  readonly token: Tensor;
  /** [sequences], their sums, weighted where the batch has weights. */
  readonly sequence: Tensor;
  /** [sequences], Σ of log p(token) − log Σ_v p(v)² where asked for; no weights, no gradient. */
  readonly logWeights: Tensor | undefined;
  /**
   * For each other model: the same sums [sequences], and Σ KL(this model ‖ the other) over the positions of each
   * completion [sequences], exact over the vocabulary.
   */
  readonly others: readonly { readonly sequence: Tensor; readonly divergence: Tensor }[];
}

/**
 * The model over a packed batch.
 *
 * @param weights The policy's weights (gradients flow if they have gradient tensors) or a reference's.
 * @param options.tables From `rotaryTables`.
 * @param options.logWeights Whether to also measure how likely the completions are for the model itself; default false.
 * @param options.others Models of the same architecture to compare with; none by default.
 */
export function completionLogProbs(
  graph: Graph,
  weights: Weights,
  options: {
    config: LlamaConfig;
    batch: BatchInputs;
    tables: { cosines: Tensor; sines: Tensor };
    logWeights?: boolean;
    others?: readonly Weights[];
  },
): CompletionLogProbs {
  const { config, batch, others = [] } = options;
  // The others first: their activations are gone before those that a backward pass needs are made.
  const compared = others.map((other) => ({
    hidden: predictingStates(graph, other, options),
    ...headOf(other),
  }));
  const hidden = predictingStates(graph, weights, options);
  const tokens = tokenLogProbs(graph, hidden, {
    ...headOf(weights),
    targets: batch.slot_targets,
    others: compared,
    logWeights: options.logWeights ?? false,
  });
  const sequences = { starts: batch.sequence_starts, sequenceOf: batch.slot_sequences };
  const sum = (values: Tensor) => sequenceSums(graph, values, sequences);
  const slotWeights = batch.slot_weights === undefined ? {} : { weights: batch.slot_weights };
  const sumWeighted = (values: Tensor) => sequenceSums(graph, values, { ...sequences, ...slotWeights });
  return {
    token: tokens.logProbs,
    sequence: sumWeighted(tokens.logProbs),
    logWeights: tokens.logWeights === undefined ? undefined : sum(tokens.logWeights),
    others: tokens.others.map(({ logProbs, divergences }) => ({
      sequence: sumWeighted(logProbs),
      divergence: sum(divergences),
    })),
  };

  function headOf(weights: Weights) {
    const { weight: head, adapter } = llamaHead(config, weights);
    return { head, adapter };
  }
}

/** The normed states from which completion tokens are predicted: [slots, hiddenSize]. */
function predictingStates(
  graph: Graph,
  weights: Weights,
  { config, batch, tables }: {
    config: LlamaConfig;
    batch: BatchInputs;
    tables: { cosines: Tensor; sines: Tensor };
  },
): Tensor {
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
  return llamaFinalNorm(graph, predicting, { config, weights });
}
