/** Attention over a cache of keys and values that grows with every call: the attention of generation. */
import cacheWriteWgsl from "./cache_write.wgsl" with { type: "text" };
import cachedAttentionWgsl from "./cached_attention.wgsl" with { type: "text" };
import { registerCachedAttentionWgsl } from "./cached_attention_registers.ts";
import { differentiate, type Dispatch, dispatch, type Graph, temporary } from "./graph.ts";
import { elementGroups } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode cachedAttention}. */
export interface CachedAttentionOptions {
  /** [sequences, length, 2 keyValueHeads headSize]: the keys, then the values, of each position. */
  cache: Tensor;
  /** u32 [rows], the sequence of each row; a number of `sequences` or more marks a row as padding. */
  sequenceOf: Tensor;
  /** u32 [rows], the position of each row in its sequence, less than `length`. */
  positions: Tensor;
  /** Query heads. */
  heads: number;
  /** Key/value heads, a divisor of `heads`. */
  keyValueHeads: number;
  /** Elements of a head, a multiple of 4 up to 256. */
  headSize: number;
  /** Positions, its own included, that a row sees; default all before it. */
  window?: number;
  /** Force a kernel, for tests and benchmarks. */
  variant?: CachedAttentionVariant;
}

/** A workgroup for each row and head, as suits a GPU, or one thread with everything in registers. */
export type CachedAttentionVariant = "workgroup" | "registers";

/**
 * Writes the keys and values of all rows to the cache; then each row attends to positions 0 to its own of its sequence, or the last of these that a window leaves:
 * softmax(q kᵀ / √headSize) v.
 *
 * The rows may be prompts packed end to end, parts of them, or one new token of each sequence, as long as whatever they
 * attend to is in the cache or among them. Padding rows write nothing and their result is 0.
 *
 * @param qkv [rows, (heads + 2 keyValueHeads) headSize]: queries, keys and values side by side, rotated already.
 * @returns [rows, heads headSize]. No gradient flows through it.
 * @throws If a shape doesn't match the heads or the rows.
 */
export function cachedAttention(graph: Graph, qkv: Tensor, options: CachedAttentionOptions): Tensor {
  checkShapes(qkv, options);
  const { cache, sequenceOf, positions, heads, keyValueHeads, headSize, window = 2 ** 32 - 1 } = options;
  const [rows = 0, width = 0] = qkv.shape;
  const [sequences = 0, length = 0, kept = 0] = cache.shape;
  const uniforms = [rows, sequences, length, { f32: 1 / Math.sqrt(headSize) }];
  dispatch(graph, {
    kernel: { label: "cache write", code: cacheWriteWgsl, constants: { WIDTH: width / 4, KEPT: kept / 4 } },
    bindings: [[qkv, "read"], [sequenceOf, "read"], [positions, "read"], [cache, "update"]],
    uniforms,
    workgroups: elementGroups(rows * kept / 4),
  });
  const attended = temporary([rows, heads * headSize], "cached attention");
  dispatch(graph, {
    ...launch(graph, { rows, heads, keyValueHeads, headSize, variant: options.variant }),
    bindings: [
      [qkv, "read"],
      [sequenceOf, "read"],
      [positions, "read"],
      [cache, "read"],
      [attended, "write"],
    ],
    uniforms: [...uniforms, window],
  });
  differentiate(graph, {
    output: attended,
    inputs: [qkv],
    rule: () => {
      throw new Error("cachedAttention: no gradient flows through a cache; train with attention()");
    },
  });
  return attended;
}

function launch(
  { device }: Graph,
  { rows, heads, keyValueHeads, headSize, variant }: {
    rows: number;
    heads: number;
    keyValueHeads: number;
    headSize: number;
    variant: CachedAttentionVariant | undefined;
  },
): Pick<Dispatch, "kernel" | "workgroups"> {
  const label = "cached attention";
  if ((variant ?? (device.software ? "registers" : "workgroup")) === "workgroup") {
    const constants = { HEADS: heads, GROUP: heads / keyValueHeads, VECTORS: headSize / 4 };
    return { kernel: { label, code: cachedAttentionWgsl, constants }, workgroups: [rows, heads] };
  }
  // The smallest workgroups, so that a few rows still occupy all cores.
  const threads = device.subgroupSize || 8;
  const groups = Math.ceil(rows * heads / threads);
  const x = Math.min(groups, 32768);
  return {
    kernel: { label, code: registerCachedAttentionWgsl({ heads, keyValueHeads, headSize, threads }) },
    workgroups: [x, Math.ceil(groups / x)],
  };
}

function checkShapes(qkv: Tensor, options: CachedAttentionOptions): void {
  const { cache, sequenceOf, positions, heads, keyValueHeads, headSize } = options;
  const [rows = 0, width = 0] = qkv.shape;
  const given = `${heads} query and 2 × ${keyValueHeads} key/value heads of ${headSize}`;
  if (headSize % 4 !== 0 || headSize > 256 || heads % keyValueHeads !== 0) {
    throw new RangeError(
      `cachedAttention: ${given}; wanted a head size that 4 divides, up to 256, and query heads that divide evenly`,
    );
  }
  if (width !== (heads + 2 * keyValueHeads) * headSize) {
    throw new RangeError(`cachedAttention: qkv is [${qkv.shape}], which doesn't hold ${given}`);
  }
  if (cache.shape.length !== 3 || cache.shape[2] !== 2 * keyValueHeads * headSize) {
    throw new RangeError(
      `cachedAttention: the cache is [${cache.shape}]; wanted [sequences, length, ${
        2 * keyValueHeads * headSize
      }]`,
    );
  }
  for (const [name, { shape }] of Object.entries({ sequenceOf, positions })) {
    if (shape.length === 1 && shape[0] === rows) continue;
    throw new RangeError(`cachedAttention: ${name} is [${shape}] for ${rows} rows of qkv; wanted [${rows}]`);
  }
}
