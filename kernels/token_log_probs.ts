/** Log-probabilities of given tokens, without logits for the whole batch. */
import { differentiate, dispatch, type Graph, needsGradient, temporary } from "./graph.ts";
import { matmul } from "./matmul.ts";
import { elementGroups, lanesPerRow, rowGroups } from "./rows.ts";
import { rows as rowsOf, type Tensor } from "./tensor.ts";
import forwardWgsl from "./token_log_probs.wgsl" with { type: "text" };
import gradientWgsl from "./token_log_probs_gradient.wgsl" with { type: "text" };

/** Options of {@linkcode tokenLogProbs}. */
export interface TokenLogProbsOptions {
  /** [vocabulary, channels]. */
  head: Tensor;
  /** u32 [rows]: the token whose log-probability is wanted. */
  targets: Tensor;
  /** How many bytes of logits may exist at a time; default 64 MiB. */
  logitsBytes?: number;
}

/** Rows of a chunk of logits are a multiple of this, which keeps views aligned. */
const CHUNK_ROWS = 64;

/**
 * log softmax(hidden · headᵀ)[target] for every row.
 *
 * Logits are computed in chunks of rows and dropped; the backward pass computes them again, chunk by chunk, unless all
 * of them fit in one.
 *
 * @param hidden [rows, channels]: only the rows that predict a completion token.
 * @returns [rows].
 */
export function tokenLogProbs(graph: Graph, hidden: Tensor, options: TokenLogProbsOptions): Tensor {
  const { head, targets, logitsBytes = 64 * 2 ** 20 } = options;
  const [rows = 0] = hidden.shape;
  const [vocabulary = 0] = head.shape;
  const size = Math.max(1, Math.floor(logitsBytes / 4 / vocabulary / CHUNK_ROWS)) * CHUNK_ROWS;
  const logProbs = temporary([rows], "token log-probs");
  const logSums = temporary([rows], "token log-sums");
  const chunks = Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const start = i * size;
    const end = Math.min(rows, start + size);
    const cut = (tensor: Tensor) => rows <= size ? tensor : rowsOf(tensor, start, end);
    return {
      rows: end - start,
      hidden: cut(hidden),
      targets: cut(targets),
      logProbs: cut(logProbs),
      logSums: cut(logSums),
      cut,
    };
  });
  const lanes = lanesPerRow(graph.device, vocabulary);
  let kept: Tensor | undefined;
  for (const chunk of chunks) {
    const logits = matmul(graph, chunk.hidden, head, { transposeB: true });
    if (chunks.length === 1) kept = logits;
    dispatch(graph, {
      kernel: { label: "token log-probs", code: forwardWgsl, constants: { LANES: lanes } },
      bindings: [[logits, "read"], [chunk.targets, "read"], [chunk.logProbs, "write"], [
        chunk.logSums,
        "write",
      ]],
      uniforms: [chunk.rows, vocabulary],
      workgroups: [rowGroups(chunk.rows, lanes)],
    });
  }
  differentiate(graph, {
    output: logProbs,
    inputs: [hidden, head],
    rule: (gradient, gradients) => {
      const hiddenGradient = needsGradient(graph, hidden)
        ? temporary(hidden.shape, "hidden gradient")
        : undefined;
      for (const chunk of chunks) {
        const logits = kept ?? matmul(graph, chunk.hidden, head, { transposeB: true });
        dispatch(graph, {
          kernel: { label: "token log-probs gradient", code: gradientWgsl },
          bindings: [[logits, "update"], [chunk.targets, "read"], [chunk.logSums, "read"], [
            chunk.cut(gradient),
            "read",
          ]],
          uniforms: [chunk.rows, vocabulary],
          workgroups: elementGroups(chunk.rows * vocabulary),
        });
        if (hiddenGradient !== undefined) matmul(graph, logits, head, { output: chunk.cut(hiddenGradient) });
        if (head.gradient !== undefined) {
          matmul(graph, logits, chunk.hidden, { transposeA: true, into: head.gradient });
        }
      }
      if (hiddenGradient !== undefined) gradients.set(hidden, hiddenGradient);
    },
  });
  return logProbs;
}
