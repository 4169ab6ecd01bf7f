/** Attention and its gradient in float64, with the matrix of scores in full. */

/** Shape of the queries, keys and values that lie side by side in a row. */
export interface Heads {
  heads: number;
  keyValueHeads: number;
  headSize: number;
}

/** What both directions take: which keys a row sees is a plain function of their numbers. */
export type AttentionReference = Heads & { rows: number; sees: (query: number, key: number) => boolean };

/** Elements in a row of queries, keys and values. */
export const qkvWidth = ({ heads, keyValueHeads, headSize }: Heads): number =>
  (heads + 2 * keyValueHeads) * headSize;

/** Where a head's query, key and value begin in a row. */
function columnsOf(head: number, { heads, keyValueHeads, headSize }: Heads) {
  const shared = Math.floor(head / (heads / keyValueHeads));
  return {
    query: head * headSize,
    key: (heads + shared) * headSize,
    value: (heads + keyValueHeads + shared) * headSize,
  };
}

/** One head's weights, [rows, rows]: softmax over the keys that a row sees, 0 elsewhere. */
function weightsOf(qkv: ArrayLike<number>, head: number, options: AttentionReference): Float64Array[] {
  const { rows, headSize, sees } = options;
  const width = qkvWidth(options);
  const { query, key } = columnsOf(head, options);
  return Array.from({ length: rows }, (_, i) => {
    const scores = new Float64Array(rows).fill(-Infinity);
    for (let j = 0; j < rows; j++) {
      if (!sees(i, j)) continue;
      scores[j] = 0;
      for (let d = 0; d < headSize; d++) {
        scores[j]! += qkv[i * width + query + d]! * qkv[j * width + key + d]!;
      }
      scores[j]! /= Math.sqrt(headSize);
    }
    const peak = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - peak));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / total);
  });
}

/** softmax(q kᵀ / √headSize) v, [rows, heads headSize]. */
export function attention(qkv: ArrayLike<number>, options: AttentionReference): Float64Array {
  const { rows, heads, headSize } = options;
  const width = qkvWidth(options);
  const result = new Float64Array(rows * heads * headSize);
  for (let head = 0; head < heads; head++) {
    const { value } = columnsOf(head, options);
    weightsOf(qkv, head, options).forEach((weights, i) =>
      weights.forEach((weight, j) => {
        for (let d = 0; d < headSize; d++) {
          result[(i * heads + head) * headSize + d]! += weight * qkv[j * width + value + d]!;
        }
      })
    );
  }
  return result;
}

/** The gradient by `qkv`: dv = wᵀ g; dw = g vᵀ; ds = w ∘ (dw − Σ w ∘ dw); dq = ds k / √D; dk = dsᵀ q / √D. */
export function attentionGradient(
  qkv: ArrayLike<number>,
  options: AttentionReference & { gradient: ArrayLike<number> },
): Float64Array {
  const { heads, headSize, gradient } = options;
  const width = qkvWidth(options);
  const result = new Float64Array(qkv.length);
  for (let head = 0; head < heads; head++) {
    const { query, key, value } = columnsOf(head, options);
    weightsOf(qkv, head, options).forEach((weights, i) => {
      const g = (i * heads + head) * headSize;
      const byWeight = weights.map((_, j) => {
        let sum = 0;
        for (let d = 0; d < headSize; d++) sum += gradient[g + d]! * qkv[j * width + value + d]!;
        return sum;
      });
      const mean = weights.reduce((sum, weight, j) => sum + weight * byWeight[j]!, 0);
      weights.forEach((weight, j) => {
        const byScore = weight * (byWeight[j]! - mean) / Math.sqrt(headSize);
        for (let d = 0; d < headSize; d++) {
          result[j * width + value + d]! += weight * gradient[g + d]!;
          result[i * width + query + d]! += byScore * qkv[j * width + key + d]!;
          result[j * width + key + d]! += byScore * qkv[i * width + query + d]!;
        }
      });
    });
  }
  return result;
}
