/**
 * WGSL of the matrix product for adapters whose memory loads are dear: one subgroup a workgroup, no workgroup memory.
 *
 * Every lane owns four columns and `rows` rows of the result. An element of `a` is loaded once in the subgroup and
 * handed round with shuffles from constant lanes; one row of sums is finished before the next is touched, so that the
 * working set stays in registers whatever the number of rows.
 */

import { addedWgsl, timesScale } from "./matmul_tiled.ts";

/** What a variant of the product computes and how. All sizes, strides and starts must be multiples of 4. */
export interface SubgroupVariant {
  /** `a` is stored [k, m] instead of [m, k]. */
  readonly transposeA: boolean;
  /** `b` is stored [n, k] instead of [k, n]. */
  readonly transposeB: boolean;
  /** What is added to the product: nothing, the previous contents of the result, or another tensor. */
  readonly add: "nothing" | "result" | "residual";
  /** Whether a bias is added to every row. */
  readonly bias: boolean;
  /** Factor on the product. */
  readonly scale: number;
  /** Lanes of a subgroup. */
  readonly lanes: number;
  /** Rows of the result that a lane computes, a multiple of 4 and at most 4 × lanes when `a` is transposed. */
  readonly rows: number;
  /** Text that opens a module with subgroup operations. */
  readonly preamble: string;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The WGSL of one variant. Bindings: a, b, result, residual and bias if added, uniforms (`Sizes` in the text). */
export function subgroupMatmulWgsl(variant: SubgroupVariant): string {
  const { add, bias, scale, lanes, rows, preamble } = variant;
  const added = add === "nothing" ? "" : add === "result" ? " + c[at]" : " + residual[at]";
  const shift = bias ? " + shift" : "";
  return `${preamble}
struct Sizes {
  m: u32, n: u32, k: u32,
  stride_a: u32, stride_b: u32, stride_c: u32, // elements from one line of the matrix to the next
  start_a: u32, start_b: u32, start_c: u32,    // where the block begins in its matrix
  first: u32, last: u32,                       // this launch sums the depths from first to last
${bias ? "  start_bias: u32,\n" : ""}}
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
${addedWgsl({ add, bias, element: "vec4f" })}

@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n4 = sizes.n / 4u;
  let stride_a = sizes.stride_a / 4u;
  let stride_b = sizes.stride_b / 4u;
  let stride_c = sizes.stride_c / 4u;
  let row = group.y * ${rows}u;
  let column = group.x * ${lanes}u + lane;
  let base_a = (sizes.start_a + group.z * sizes.m * sizes.k) / 4u;
  let base_b = (sizes.start_b + group.z * sizes.k * sizes.n) / 4u;
  let base_c = (sizes.start_c + group.z * sizes.m * sizes.n) / 4u;
${range(rows).map((i) => `  var sum${i} = vec4f();`).join("\n")}
  for (var k = sizes.first / 4u; k < sizes.last / 4u; k++) {
${loadA(variant)}
${loadB(variant)}
${range(rows).map((i) => `    ${multiplyRow(variant, i)}`).join("\n")}
  }
  if (column >= n4) { return; }${bias ? "\n  let shift = bias[sizes.start_bias / 4u + column];" : ""}
${
    range(rows).map((i) =>
      `  if (row + ${i}u < sizes.m) { let at = base_c + (row + ${i}u) * stride_c + column; c[at] = sum${i}${
        timesScale(scale)
      }${shift}${added}; }`
    ).join("\n")
  }
}`;
}

/** How many of the 4 steps of depth one load of the transposed `a` covers: the lanes that `rows` doesn't need. */
function depthPerLoad({ lanes, rows }: SubgroupVariant): number {
  return Math.max(1, Math.min(4, Math.floor(lanes / (rows / 4))));
}

/** Each lane loads a piece of `a` that all lanes are going to use. */
function loadA(variant: SubgroupVariant): string {
  const { transposeA, rows, lanes } = variant;
  if (!transposeA) { // lane i holds row i, k…k+3
    return range(Math.ceil(rows / lanes)).map((part) => {
      const last = Math.min(lanes, rows - part * lanes) - 1;
      return `    let a${part} = a[base_a + (row + ${part * lanes}u + min(lane, ${last}u)) * stride_a + k];`;
    }).join("\n");
  }
  const quads = rows / 4; // lane holds rows 4q…4q+3 of one step of depth
  const depth = depthPerLoad(variant);
  return range(4 / depth).map((part) =>
    `    let a${part} = a[base_a + (k * 4u + ${
      part * depth
    }u + lane / ${quads}u % ${depth}u) * stride_a + row / 4u + lane % ${quads}u];`
  ).join("\n");
}

/** `b0`…`b3`: this lane's four columns at the four steps of depth. */
function loadB({ transposeB }: SubgroupVariant): string {
  if (!transposeB) {
    return range(4).map((d) => `    let b${d} = b[base_b + (k * 4u + ${d}u) * stride_b + column];`).join(
      "\n",
    );
  }
  return [
    ...range(4).map((j) => `    let t${j} = b[base_b + (column * 4u + ${j}u) * stride_b + k];`),
    ...range(4).map((d) => `    let b${d} = vec4f(t0[${d}], t1[${d}], t2[${d}], t3[${d}]);`),
  ].join("\n");
}

function multiplyRow(variant: SubgroupVariant, row: number): string {
  const { transposeA, lanes, rows } = variant;
  return range(4).map((d) => {
    const depth = depthPerLoad(variant);
    const value = transposeA
      ? `subgroupShuffle(a${Math.floor(d / depth)}[${row % 4}], ${(d % depth) * (rows / 4) + (row >> 2)}u)`
      : `subgroupShuffle(a${Math.floor(row / lanes)}[${d}], ${row % lanes}u)`;
    return `sum${row} = fma(vec4f(${value}), b${d}, sum${row});`;
  }).join(" ");
}
