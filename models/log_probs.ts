/** Log-probabilities of the completions of a packed batch under a model. */
import { lookUp } from "../kernels/embedding.ts";
import { type Graph, input } from "../kernels/graph.ts";
import { sequenceSums } from "../kernels/sequence_sums.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { tokenLogProbs } from "../kernels/token_log_probs.ts";
import type { ModelConfig } from "./config.ts";
import type { RotaryTables } from "./rotary_tables.ts";
import {
  attendWithin,
  type Checkpointing,
  finalNorm,
  outputHead,
  transformer,
  type Weights,
} from "./transformer.ts";

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
  & Readonly<Partial<Record<OptionalInput, Tensor>>>;

/** Inputs that only some models or losses read. */
export type OptionalInput =
  | "slot_weights"
  | "window_spans"
  | "position_list_targets"
  | "position_list_starts"
  | "position_list_rows";

function batchShapes(
  { rows, slots, sequences }: BatchSizes,
  { learnedPositions, windowed, weighted }: BatchInputOptions,
): Partial<Record<keyof BatchInputs, number[]>> {
  return {
    ...(windowed ? { window_spans: [rows, 4] } : {}),
    ...(weighted ? { slot_weights: [slots] } : {}),
    ...(learnedPositions
      ? { position_list_targets: [rows], position_list_starts: [rows + 1], position_list_rows: [rows] }
      : {}),
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

/** What a model reads of a batch beside what all read; as `PackOptions` of `@tr/align/data` has it packed. */
export interface BatchInputOptions {
  /** Whether positions are learned, so that their gradient needs the rows of each. */
  readonly learnedPositions?: boolean;
  /** Whether some layers see fewer positions than the sequences have. */
  readonly windowed?: boolean;
  /** Whether tokens have weights; `packGroups` then needs a `tailWeight`. */
  readonly weighted?: boolean;
}

/** Declares the inputs of a packed batch; the host fills them with what `packGroups` of `@tr/align/data` returns. */
export function batchInputs(
  graph: Graph,
  sizes: BatchSizes,
  options: BatchInputOptions = {},
): BatchInputs {
  const entries = Object.entries(batchShapes(sizes, options)).map(([name, shape]) => {
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
 * @param options.checkpointing What a backward pass computes again; default `none`.
 * @param options.logWeights Whether to also measure how likely the completions are for the model itself; default false.
 * @param options.others Models of the same architecture to compare with; none by default.
 */
export function completionLogProbs(
  graph: Graph,
  weights: Weights,
  options: {
    config: ModelConfig;
    batch: BatchInputs;
    tables: RotaryTables | null;
    checkpointing?: Checkpointing;
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
    const { weight: head, adapter } = outputHead(config, weights);
    return { head, adapter };
  }
}

/** The normed states from which completion tokens are predicted: [slots, hiddenSize]. */
function predictingStates(
  graph: Graph,
  weights: Weights,
  { config, batch, tables, checkpointing = "none" }: {
    config: ModelConfig;
    batch: BatchInputs;
    tables: RotaryTables | null;
    checkpointing?: Checkpointing;
  },
): Tensor {
  const hidden = transformer(graph, weights, {
    config,
    inputs: {
      tokens: batch.tokens,
      positions: batch.positions,
      rotaryTables: tables,
      ...(batch.position_list_targets
        ? {
          positionLists: {
            targets: batch.position_list_targets,
            starts: batch.position_list_starts!,
            rows: batch.position_list_rows!,
          },
        }
        : {}),
      tokenLists: {
        targets: batch.token_list_targets,
        starts: batch.token_list_starts,
        rows: batch.token_list_rows,
      },
    },
    attend: attendWithin(graph, config, { spans: batch.spans, windowSpans: batch.window_spans }),
    checkpointing,
  }); // [rows, C]
  const predicting = lookUp(graph, hidden, {
    indices: batch.slot_rows,
    lists: { targets: batch.row_list_targets, starts: batch.row_list_starts, rows: batch.row_list_rows },
  }); // [slots, C]
  return finalNorm(graph, predicting, { config, weights });
}
