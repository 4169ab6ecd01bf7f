/**
 * WGSL of the matrix product for adapters whose memory loads are dear: one subgroup a workgroup, no workgroup memory.
 *
 * Every lane owns four columns or a few times four, and `rows` rows of the result. An element of `a` is loaded once in the subgroup and
 * handed round with shuffles from constant lanes; one row of sums is finished before the next is touched, so that the
 * working set stays in registers whatever the number of rows.
 */

import {
  addedWgsl,
  type Epilogue,
  plusBindingsWgsl,
  plusSizesWgsl,
  timesScale,
  widenedVectorWgsl,
} from "./matmul_wgsl.ts";

/** How two factors lie in memory. */
interface Factors {
  /** `a` is stored [k, m] instead of [m, k]. */
  readonly transposeA: boolean;
  /** `b` is stored [n, k] instead of [k, n]. */
  readonly transposeB: boolean;
  /** `b` is in bfloat16, two elements to a word. */
  readonly packedB: boolean;
  /** Factor on their product. */
  readonly scale: number;
}

/** What a variant of the product computes and how. All sizes, strides and starts must be multiples of 4. */
export interface SubgroupVariant extends Factors, Epilogue {
  /** Two more factors, whose product is added, where `scale` is 1. */
  readonly plus: Factors | undefined;
  /** Lanes of a subgroup. */
  readonly lanes: number;
  /** Rows of the result that a lane computes, a multiple of 4. */
  readonly rows: number;
  /** Groups of four columns that a lane computes. */
  readonly vectors: number;
  /** Text that opens a module with subgroup operations. */
  readonly preamble: string;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * The WGSL of one variant. Bindings: a, b, result, the two factors of `plus`, residual and bias if added, uniforms
 * (`Sizes` in the text).
 */
export function subgroupMatmulWgsl(variant: SubgroupVariant): string {
  const { plus, add, bias, packedB, lanes, rows, vectors, preamble } = variant;
  const sums = range(rows).flatMap((i) => range(vectors).map((j) => `sum${i}_${j}`));
  return `${preamble}
struct Sizes {
  m: u32, n: u32, k: u32,
  stride_a: u32, stride_b: u32, stride_c: u32, // elements from one line of the matrix to the next
  start_a: u32, start_b: u32, start_c: u32,    // where the block begins in its matrix
  first: u32, last: u32,                       // this launch sums the depths from first to last
${plus ? plusSizesWgsl : ""}${bias ? "  start_bias: u32,\n" : ""}}
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<${packedB ? "vec2u" : "vec4f"}>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
${plus ? plusBindingsWgsl({ a: "vec4f", b: "vec4f" }) : ""}
${addedWgsl({ add, bias, element: "vec4f", first: plus ? 5 : 3 })}
${packedB ? widenedVectorWgsl : ""}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n4 = sizes.n / 4u;
  let stride_a = sizes.stride_a / 4u;
  let stride_b = sizes.stride_b / 4u;
  let stride_c = sizes.stride_c / 4u;
  let row = group.y * ${rows}u;
  let column = group.x * ${lanes * vectors}u + lane;
  let base_a = (sizes.start_a + group.z * sizes.m * sizes.k) / 4u;
  let base_b = (sizes.start_b + group.z * sizes.k * sizes.n) / 4u;
  let base_c = (sizes.start_c + group.z * sizes.m * sizes.n) / 4u;
${sums.map((sum) => `  var ${sum} = vec4f();`).join("\n")}
  for (var k = sizes.first / 4u; k < sizes.last / 4u; k++) {
${sumDepth(variant, { ...variant, prefix: "" })}
  }
${
    plus
      ? `  for (var k = 0u; k < sizes.plus_k / 4u; k++) {
    let base_a = sizes.plus_start_a / 4u;
    let base_b = sizes.plus_start_b / 4u;
    let stride_a = sizes.plus_stride_a / 4u;
    let stride_b = sizes.plus_stride_b / 4u;
${sumDepth(variant, { ...plus, prefix: "plus_" })}
  }`
      : ""
  }
${range(vectors).map((j) => store(variant, j)).join("\n")}
}`;
}

/** The factors that a loop over the depth multiplies, and what their names begin with. */
type Loop = Factors & { readonly prefix: "" | "plus_" };

/** Four steps of depth. The second product has a loop of its own: loads in branches of one cost more than they save. */
function sumDepth(variant: SubgroupVariant, loop: Loop): string {
  const { rows, vectors } = variant;
  return [
    loadA(variant, loop),
    ...range(vectors).map((j) => loadB(variant, { loop, vector: j })),
    ...range(rows).map((i) => `    ${multiplyRow(variant, { loop, row: i })}`),
  ].join("\n");
}

/** Writes the sums of one of a lane's vectors, with what is added to them. */
function store({ add, bias, scale, lanes, rows }: SubgroupVariant, vector: number): string {
  const added = add === "nothing" ? "" : add === "result" ? " + c[at]" : " + residual[at]";
  const lines = range(rows).map((i) =>
    `    if (row + ${i}u < sizes.m) { let at = base_c + (row + ${i}u) * stride_c + at_column; c[at] = sum${i}_${vector}${
      timesScale(scale)
    }${bias ? " + shift" : ""}${added}; }`
  );
  const first = `column + ${vector * lanes}u`;
  return `  if (${first} < n4) {
    let at_column = ${first};${bias ? "\n    let shift = bias[sizes.start_bias / 4u + at_column];" : ""}
${lines.join("\n")}
  }`;
}

/** How many of the 4 steps of depth one load of the transposed `a` covers: the lanes that `rows` doesn't need. */
function depthPerLoad({ lanes, rows }: SubgroupVariant): number {
  const fitting = lanes / (rows / 4);
  return fitting >= 4 ? 4 : fitting >= 2 ? 2 : 1;
}

/** Each lane loads a piece of `a` that all lanes are going to use. */
function loadA(variant: SubgroupVariant, { transposeA, prefix, scale }: Loop): string {
  const { rows, lanes } = variant;
  const load = (at: string) => `${prefix}a[base_a + ${at}]${prefix === "" ? "" : timesScale(scale)}`;
  const lane = (part: number, of: number) => `min(lane, ${Math.min(lanes, of - part * lanes) - 1}u)`;
  if (!transposeA) { // lane i holds row i, k…k+3
    return range(Math.ceil(rows / lanes)).map((part) =>
      `    let a${part} = ${load(`(row + ${part * lanes}u + ${lane(part, rows)}) * stride_a + k`)};`
    ).join("\n");
  }
  const quads = rows / 4; // a lane holds rows 4q…4q+3 of one step of depth
  if (quads > lanes) { // which takes several loads
    const parts = Math.ceil(quads / lanes);
    return range(4 * parts).map((i) => {
      const [d, part] = [Math.floor(i / parts), i % parts];
      const column = `row / 4u + ${part * lanes}u + ${lane(part, quads)}`;
      return `    let a${i} = ${load(`(k * 4u + ${d}u) * stride_a + ${column}`)};`;
    }).join("\n");
  }
  const depth = depthPerLoad(variant);
  return range(4 / depth).map((part) =>
    `    let a${part} = ${
      load(
        `(k * 4u + ${part * depth}u + lane / ${quads}u % ${depth}u) * stride_a + row / 4u + lane % ${quads}u`,
      )
    };`
  ).join("\n");
}

/** The element of `a` for a row of the result and a step of depth, wherever in the subgroup it is. */
function elementOfA(
  variant: SubgroupVariant,
  { transposeA, row, d }: { transposeA: boolean; row: number; d: number },
): string {
  const { lanes, rows } = variant;
  if (!transposeA) return `subgroupShuffle(a${Math.floor(row / lanes)}[${d}], ${row % lanes}u)`;
  const [quads, quad] = [rows / 4, row >> 2];
  if (quads > lanes) {
    const load = d * Math.ceil(quads / lanes) + Math.floor(quad / lanes);
    return `subgroupShuffle(a${load}[${row % 4}], ${quad % lanes}u)`;
  }
  const depth = depthPerLoad(variant);
  return `subgroupShuffle(a${Math.floor(d / depth)}[${row % 4}], ${d % depth * quads + quad}u)`;
}

/** `b0_j`…`b3_j`: four of this lane's columns at the four steps of depth. */
function loadB(
  { lanes }: SubgroupVariant,
  { loop: { transposeB, packedB, prefix }, vector }: { loop: Loop; vector: number },
): string {
  const load = (at: string) => packedB ? `widened(${prefix}b[${at}])` : `${prefix}b[${at}]`;
  const column = `(column + ${vector * lanes}u)`;
  if (!transposeB) {
    return range(4).map((d) =>
      `    let b${d}_${vector} = ${load(`base_b + (k * 4u + ${d}u) * stride_b + ${column}`)};`
    ).join("\n");
  }
  const line = (j: number) => `t${j}_${vector}`;
  return [
    ...range(4).map((j) =>
      `    let ${line(j)} = ${load(`base_b + (${column} * 4u + ${j}u) * stride_b + k`)};`
    ),
    ...range(4).map((d) =>
      `    let b${d}_${vector} = vec4f(${range(4).map((j) => `${line(j)}[${d}]`).join(", ")});`
    ),
  ].join("\n");
}

function multiplyRow(variant: SubgroupVariant, { loop, row }: { loop: Loop; row: number }): string {
  const { transposeA } = loop;
  return range(variant.vectors).flatMap((j) =>
    range(4).map((d) => {
      const sum = `sum${row}_${j}`;
      return `${sum} = fma(vec4f(${elementOfA(variant, { transposeA, row, d })}), b${d}_${j}, ${sum});`;
    })
  ).join(" ");
}
