/** Causal attention over packed sequences, with grouped queries; memory grows linearly with the rows. */
import { passGradient } from "./add.ts";
import deltaWgsl from "./attention_delta.wgsl" with { type: "text" };
import {
  type SubgroupAttention,
  subgroupForwardWgsl,
  subgroupKeyValueGradientWgsl,
  subgroupQueryGradientWgsl,
} from "./attention_subgroup.ts";
import { type TiledAttention, tiledAttentionWorkgroupBytes } from "./attention_tile.ts";
import { tiledForwardWgsl } from "./attention_tiled.ts";
import { tiledKeyValueGradientWgsl, tiledQueryGradientWgsl } from "./attention_tiled_gradient.ts";
import type { Device } from "./device.ts";
import { differentiate, dispatch, type Graph, temporary } from "./graph.ts";
import { remember } from "./remember.ts";
import { elementGroups } from "./rows.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@linkcode attention}. */
export interface AttentionOptions {
  /**
   * Which keys each row sees, u32 [rows, 4] = (start, end, own, last): row i sees keys j ≤ i with start ≤ j < end or
   * own ≤ j; no row from `last` on sees key i. Rows of one sequence are contiguous, so packing needs no padding, and two
   * completions can share a prompt.
   */
  spans: Tensor;
  /** Query heads. */
  heads: number;
  /** Key/value heads, a divisor of `heads`. */
  keyValueHeads: number;
  /** Elements of a head, a multiple of 4. */
  headSize: number;
  /** Force kernels, for tests and benchmarks. */
  kernels?: AttentionKernels;
}

/**
 * softmax(q kᵀ / √headSize) v for every row, without a rows × rows matrix.
 *
 * @param qkv [rows, (heads + 2 keyValueHeads) headSize]: queries, keys and values side by side, rotated already.
 * @returns [rows, heads headSize].
 * @throws If the width of `qkv` doesn't match the heads, or no tile of this head size fits the workgroup memory.
 */
export function attention(graph: Graph, qkv: Tensor, options: AttentionOptions): Tensor {
  const { spans, heads, keyValueHeads, headSize } = options;
  const [rows = 0, width = 0] = qkv.shape;
  if (width !== (heads + 2 * keyValueHeads) * headSize || heads % keyValueHeads !== 0 || headSize % 4 !== 0) {
    throw new RangeError(
      `attention: qkv is [${qkv.shape}], which doesn't hold ${heads} query and 2 × ${keyValueHeads} key/value heads of ${headSize}`,
    );
  }
  const { tile, forward, queryGradient, keyValueGradient } = options.kernels ??
    chooseKernels(graph.device, { heads, keyValueHeads, headSize });
  const uniforms = [rows, { f32: 1 / Math.sqrt(headSize) }];
  const attended = temporary([rows, heads * headSize], "attention");
  const logSums = temporary([rows, heads], "attention log-sums");
  dispatch(graph, {
    kernel: { label: "attention", code: forward },
    bindings: [[qkv, "read"], [spans, "read"], [attended, "write"], [logSums, "write"]],
    uniforms,
    workgroups: [Math.ceil(rows / tile), heads],
  });
  differentiate(graph, {
    output: attended,
    inputs: [qkv],
    rule: (gradient, gradients) => {
      const deltas = temporary([rows, heads], "attention delta");
      dispatch(graph, {
        kernel: {
          label: "attention delta",
          code: deltaWgsl,
          constants: { HEADS: heads, VECTORS: headSize / 4 },
        },
        bindings: [[attended, "read"], [gradient, "read"], [deltas, "write"]],
        uniforms: [rows],
        workgroups: elementGroups(rows * heads),
      });
      const qkvGradient = temporary(qkv.shape, "qkv gradient");
      const bind = (access: "write" | "update") =>
        [
          [qkv, "read"],
          [gradient, "read"],
          [spans, "read"],
          [logSums, "read"],
          [deltas, "read"],
          [qkvGradient, access],
        ] as const;
      dispatch(graph, {
        kernel: { label: "attention query gradient", code: queryGradient },
        bindings: bind("write"),
        uniforms,
        workgroups: [Math.ceil(rows / tile), heads],
      });
      dispatch(graph, {
        kernel: { label: "attention key/value gradient", code: keyValueGradient },
        bindings: bind("update"),
        uniforms,
        workgroups: [Math.ceil(rows / tile), keyValueHeads],
      });
      passGradient(graph, qkv, { gradient: qkvGradient, gradients });
    },
  });
  return attended;
}

/** Sources of the three kernels, and how many rows one of their workgroups covers. */
export interface AttentionKernels {
  /** Rows of queries, or of keys, in a workgroup. */
  readonly tile: number;
  /** The forward pass. */
  readonly forward: string;
  /** The queries' gradient. */
  readonly queryGradient: string;
  /** The keys' and values' gradients. */
  readonly keyValueGradient: string;
}

/** Heads of an attention layer. */
export type HeadShape = Omit<TiledAttention, "fragment" | "compact">;

/** Registers for every lane on adapters where memory is dear, tiles in workgroup memory elsewhere. */
function chooseKernels(device: Device, shape: HeadShape): AttentionKernels {
  return device.software && device.subgroupSize >= 4
    ? subgroupAttention(device, shape)
    : tiledAttention(device, shape);
}

/** The kernels that keep rows in registers; needs subgroup operations of a fixed size. */
export function subgroupAttention(device: Device, shape: HeadShape): AttentionKernels {
  return subgroupKernels({ ...shape, lanes: device.subgroupSize, preamble: device.subgroupPreamble });
}

const subgroupKernels = remember((variant: SubgroupAttention): AttentionKernels => ({
  tile: variant.lanes,
  forward: subgroupForwardWgsl(variant),
  queryGradient: subgroupQueryGradientWgsl(variant),
  keyValueGradient: subgroupKeyValueGradientWgsl(variant),
}));

const tiledKernels = remember((variant: TiledAttention): AttentionKernels => ({
  tile: 8 * variant.fragment,
  forward: tiledForwardWgsl(variant),
  queryGradient: tiledQueryGradientWgsl(variant),
  keyValueGradient: tiledKeyValueGradientWgsl(variant),
}));

/**
 * The kernels that stage tiles in workgroup memory, with the largest tile that fits it; drivers don't all check that.
 *
 * @throws If no tile fits.
 */
export function tiledAttention(device: Device, shape: HeadShape): AttentionKernels {
  const limit = device.gpu.limits.maxComputeWorkgroupStorageSize;
  const smallest = { ...shape, fragment: 1, compact: true } as const;
  const larger = ([4, 2, 1] as const).map((fragment) => ({ ...shape, fragment }));
  for (const variant of [...larger, smallest]) {
    if (tiledAttentionWorkgroupBytes(variant) > limit) continue;
    return tiledKernels(variant);
  }
  throw new RangeError(
    `attention: heads of ${shape.headSize} need ${tiledAttentionWorkgroupBytes(smallest)} bytes of ` +
      `workgroup memory; "${device.description}" has ${limit}`,
  );
}
