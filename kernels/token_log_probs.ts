/** Log-probabilities of given tokens, without logits for the whole batch. */
import { differentiate, dispatch, type Graph, needsGradient, temporary } from "./graph.ts";
import { elementsOf } from "./elements.ts";
import type { Adapter } from "./adapter.ts";
import { passGradient } from "./add.ts";
import { applyLinear, linearGradients, type LinearWeights, trainable } from "./linear.ts";
import { rowReduction } from "./row_reduction.ts";
import { rowGroups, rowsAsGroups } from "./rows.ts";
import { rows as rowsOf, type Tensor } from "./tensor.ts";
import divergencesWgsl from "./token_divergences.wgsl" with { type: "text" };
import forwardWgsl from "./token_log_probs.wgsl" with { type: "text" };
import gradientWgsl from "./token_log_probs_gradient.wgsl" with { type: "text" };
import logWeightsWgsl from "./token_log_weights.wgsl" with { type: "text" };
import { sizesOf } from "./weight_parts.ts";

/** Options of {@linkcode tokenLogProbs}. */
export interface TokenLogProbsOptions {
  /** [vocabulary, channels]; a list where one tensor can't hold it: rows that continue each other. */
  head: Tensor | readonly Tensor[];
  /** The head's adapter; then the head itself is frozen. */
  adapter?: Adapter | undefined;
  /** u32 [rows]: the token whose log-probability is wanted. */
  targets: Tensor;
  /** Other models over the same rows, to be compared with; no gradient flows to them. */
  others?: readonly {
    readonly hidden: Tensor;
    readonly head: Tensor | readonly Tensor[];
    readonly adapter?: Adapter | undefined;
  }[];
  /** Also say how likely the targets are beside what the model itself would draw. */
  logWeights?: boolean;
  /** How many bytes of logits may exist at a time, of each model; default 64 MiB. */
  logitsBytes?: number;
}

/** What {@linkcode tokenLogProbs} returns. */
export interface TokenLogProbs {
  /** [rows], log softmax(hidden · headᵀ)[target]. */
  readonly logProbs: Tensor;
  /** [rows], log p(target) − log Σ_v p(v)² where asked for; no gradient flows through it. */
  readonly logWeights: Tensor | undefined;
  /** For each other model: its log-probs [rows], and KL(this model ‖ the other) over the vocabulary [rows]. */
  readonly others: readonly { readonly logProbs: Tensor; readonly divergences: Tensor }[];
}

/** Rows of a chunk of logits are a multiple of this, which keeps views aligned. */
const CHUNK_ROWS = 64;

/**
 * log softmax(hidden · headᵀ)[target] for every row, and how far other models are from this one.
 *
 * Logits are computed in chunks of rows and dropped; the backward pass computes them again, chunk by chunk, unless all
 * of them fit in one.
 *
 * @param hidden [rows, channels]: only the rows that predict a completion token.
 */
export function tokenLogProbs(graph: Graph, hidden: Tensor, options: TokenLogProbsOptions): TokenLogProbs {
  const { head, adapter, targets, others = [], logitsBytes = 64 * 2 ** 20 } = options;
  const layer: LinearWeights = { weight: head, adapter };
  const [rows = 0] = hidden.shape;
  const [vocabulary] = sizesOf(head);
  const size = Math.max(1, Math.floor(logitsBytes / 4 / vocabulary / CHUNK_ROWS)) * CHUNK_ROWS;
  const logProbs = temporary([rows], "token log-probs");
  const logSums = temporary([rows], "token log-sums");
  const logWeights = options.logWeights ? temporary([rows], "token log-weights") : undefined;
  const compared = others.map((other) => ({
    ...other,
    logProbs: temporary([rows], "other token log-probs"),
    divergences: temporary([rows], "token divergences"),
  }));
  const chunks = Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const [start, end] = [i * size, Math.min(rows, (i + 1) * size)];
    const cut = (tensor: Tensor) => rows <= size ? tensor : rowsOf(tensor, start, end);
    return { rows: end - start, hidden: cut(hidden), targets: cut(targets), logSums: cut(logSums), cut };
  });
  const { header, perRow } = elementsOf(vocabulary);
  const reduction = rowReduction(graph.device, vocabulary);
  const rowKernel = (label: string, code: string) => ({ label, code: reduction.header + header + code });
  let kept: Tensor | undefined;
  for (const chunk of chunks) {
    const uniforms = [chunk.rows, perRow];
    const workgroups = rowGroups(chunk.rows, reduction.rowsPerGroup);
    const { y: logits } = applyLinear(graph, chunk.hidden, layer);
    if (chunks.length === 1) kept = logits;
    // Each comparison gives the model's own log-probs as well, always the same.
    if (compared.length === 0) {
      dispatch(graph, {
        kernel: rowKernel("token log-probs", forwardWgsl),
        bindings: [
          [logits, "read"],
          [chunk.targets, "read"],
          [chunk.cut(logProbs), "write"],
          [chunk.logSums, "write"],
        ],
        uniforms,
        workgroups,
      });
    }
    for (const other of compared) {
      const otherLayer: LinearWeights = { weight: other.head, adapter: other.adapter };
      const { y: otherLogits } = applyLinear(graph, chunk.cut(other.hidden), otherLayer);
      dispatch(graph, {
        kernel: rowKernel("token divergences", divergencesWgsl),
        bindings: [
          [logits, "read"],
          [otherLogits, "read"],
          [chunk.targets, "read"],
          [chunk.cut(logProbs), "write"],
          [chunk.logSums, "write"],
          [chunk.cut(other.logProbs), "write"],
          [chunk.cut(other.divergences), "write"],
        ],
        uniforms,
        workgroups,
      });
    }
    if (logWeights !== undefined) {
      dispatch(graph, {
        kernel: rowKernel("token log-weights", logWeightsWgsl),
        bindings: [
          [logits, "read"],
          [chunk.logSums, "read"],
          [chunk.cut(logProbs), "read"],
          [chunk.cut(logWeights), "write"],
        ],
        uniforms,
        workgroups,
      });
    }
  }
  differentiate(graph, {
    output: logProbs,
    inputs: [hidden, ...trainable(layer)],
    rule: (gradient, gradients) => {
      const hiddenGradient = needsGradient(graph, hidden)
        ? temporary(hidden.shape, "hidden gradient")
        : undefined;
      for (const chunk of chunks) {
        const logits = kept ?? applyLinear(graph, chunk.hidden, layer).y;
        dispatch(graph, {
          kernel: { label: "token log-probs gradient", code: header + gradientWgsl },
          bindings: [
            [logits, "update"],
            [chunk.targets, "read"],
            [chunk.logSums, "read"],
            [chunk.cut(gradient), "read"],
          ],
          uniforms: [chunk.rows, perRow],
          workgroups: [Math.ceil(perRow / 256), ...rowsAsGroups(chunk.rows)],
        });
        linearGradients(graph, logits, {
          x: chunk.hidden,
          ...layer,
          ...(hiddenGradient ? { output: chunk.cut(hiddenGradient) } : {}),
        });
      }
      if (hiddenGradient !== undefined) passGradient(graph, hidden, { gradient: hiddenGradient, gradients });
    },
  });
  return {
    logProbs,
    logWeights,
    others: compared.map(({ logProbs, divergences }) => ({ logProbs, divergences })),
  };
}
