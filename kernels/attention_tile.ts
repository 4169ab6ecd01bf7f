/**
 * What the WGSL of causal attention for GPUs shares: tiles of queries and keys in workgroup memory, running softmax, no T × T matrix.
 *
 * 64 threads form an 8 × 8 grid over a square tile of scores; thread (x, y) owns rows y, y + 8, … and columns x, x + 8, …
 * of it. Strided rows with one vec4 of padding keep the threads of a row in different memory banks. The backward pass
 * has one kernel that owns query tiles (dq) and one that owns key tiles (dk, dv), so no sum needs atomics.
 */
import { gapWgsl } from "./attention_gap.ts";

/** Shape of an attention kernel. */
export interface TiledAttention {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; each serves heads / keyValueHeads query heads. */
  readonly keyValueHeads: number;
  /** Elements of a head, a multiple of 4. */
  readonly headSize: number;
  /** Scores a thread owns in each direction: the tile has 8 × fragment rows and columns. */
  readonly fragment: 1 | 2 | 4;
  /** Stage two tiles at a time in the backward kernels instead of four, which takes more loads: for the largest heads. */
  readonly compact?: boolean;
}

export const range = (count: number) => Array.from({ length: count }, (_, i) => i);
export const lines = (parts: string[]) => parts.join("\n");

/** Bytes of workgroup memory that the largest of the three kernels takes. */
export function tiledAttentionWorkgroupBytes(
  { headSize, fragment, compact = false }: TiledAttention,
): number {
  const tile = 8 * fragment;
  return (compact ? 2 : 4) * tile * (headSize / 4 + 1) * 16 + 2 * tile * (tile + 1) * 4;
}

export interface Layout {
  tile: number;
  fragment: number;
  vectors: number; // vec4s in a head
  stride: number; // vec4s between rows of a staged tile
  owned: number; // vec4s of an output row that a thread owns
  width: number; // vec4s in a row of qkv
  outWidth: number; // vec4s in a row of the attention's output
  shape: TiledAttention;
}

export function layoutOf(shape: TiledAttention): Layout {
  const vectors = shape.headSize / 4;
  return {
    tile: 8 * shape.fragment,
    fragment: shape.fragment,
    vectors,
    stride: vectors + 1,
    owned: Math.ceil(vectors / 8),
    width: (shape.heads + 2 * shape.keyValueHeads) * vectors,
    outWidth: shape.heads * vectors,
    shape,
  };
}

/** Declarations that the kernels share. A span says which keys a row sees: [x, y) and [z, itself]; w ends the rows that see it. */
export function header(bindings: readonly string[]): string {
  return lines([
    "struct Sizes { rows: u32, scale: f32 }",
    ...bindings.map((binding, i) => `@group(0) @binding(${i}) ${binding};`),
    `@group(0) @binding(${bindings.length}) var<uniform> sizes: Sizes;`,
    gapWgsl,
    "fn visible(query: u32, key: u32, span: vec4u) -> bool {",
    "  return query < sizes.rows && key <= query && key >= span.x && (key < span.y || key >= span.z);",
    "}",
  ]);
}

export const entry = `@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let x = thread % 8u;
  let y = thread / 8u;`;

/** Stages `tile` rows of one head; rows beyond the end are zero. */
function stage(l: Layout, { to, from, firstRow, offset, width }: {
  to: string;
  from: string;
  firstRow: string;
  offset: string;
  width: number;
}): string {
  return `  for (var i = thread; i < ${l.tile * l.vectors}u; i += 64u) {
    let r = i / ${l.vectors}u; let v = i % ${l.vectors}u;
    var value = vec4f();
    if (${firstRow} + r < sizes.rows) { value = ${from}[(${firstRow} + r) * ${width}u + ${offset} + v]; }
    ${to}[r * ${l.stride}u + v] = value;
  }`;
}

export const stageQuery = (l: Layout, to = "queries") =>
  stage(l, { to, from: "qkv", firstRow: "q0", offset: `head * ${l.vectors}u`, width: l.width });
export const stageKey = (l: Layout, to: string) =>
  stage(l, {
    to,
    from: "qkv",
    firstRow: "k0",
    offset: `(${l.shape.heads}u + kv_head) * ${l.vectors}u`,
    width: l.width,
  });
export const stageValue = (l: Layout, to: string) =>
  stage(l, {
    to,
    from: "qkv",
    firstRow: "k0",
    offset: `(${l.shape.heads + l.shape.keyValueHeads}u + kv_head) * ${l.vectors}u`,
    width: l.width,
  });
export const stageOutputGradient = (l: Layout, to = "output_gradients") =>
  stage(l, {
    to,
    from: "output_gradient",
    firstRow: "q0",
    offset: `head * ${l.vectors}u`,
    width: l.outWidth,
  });

export const staged = (l: Layout, names: readonly string[]) =>
  lines(names.map((name) => `var<workgroup> ${name}: array<vec4f, ${l.tile * l.stride}>;`));
export const scoreTile = (l: Layout, name: string) =>
  `var<workgroup> ${name}: array<f32, ${l.tile * (l.tile + 1)}>;`;

/** `name`i_j += row (y + 8i) of `a` · row (x + 8j) of `b`. */
export function dotProducts(l: Layout, { name, a, b }: { name: string; a: string; b: string }): string {
  const all = range(l.fragment);
  return lines([
    ...all.flatMap((i) => all.map((j) => `  var ${name}${i}_${j} = 0.0;`)),
    `  for (var v = 0u; v < ${l.vectors}u; v++) {`,
    ...all.map((i) =>
      `    let a${i} = ${a}[(y + ${8 * i}u) * ${l.stride}u + v]; let b${i} = ${b}[(x + ${
        8 * i
      }u) * ${l.stride}u + v];`
    ),
    ...all.flatMap((i) => all.map((j) => `    ${name}${i}_${j} += dot(a${i}, b${j});`)),
    "  }",
  ]);
}

export const ownedSums = (l: Layout, name: string) =>
  lines(range(l.fragment).flatMap((i) => range(l.owned).map((c) => `  var ${name}${i}_${c} = vec4f();`)));

/** `name`[row][column] += Σ_k weights[row][k] · tile[k][column] over the owned rows and columns. */
export function weightedSums(l: Layout, { name, weights, tile, transposed }: {
  name: string;
  weights: string;
  tile: string;
  transposed: boolean;
}): string {
  return lines([
    `  for (var k = 0u; k < ${l.tile}u; k++) {`,
    ...range(l.owned).map((c) =>
      `    let t${c} = ${tile}[k * ${l.stride}u + min(x + ${8 * c}u, ${l.vectors - 1}u)];`
    ),
    ...range(l.fragment).map((i) => {
      const row = `(y + ${8 * i}u)`;
      const at = transposed ? `k * ${l.tile + 1}u + ${row}` : `${row} * ${l.tile + 1}u + k`;
      return `    { let w = ${weights}[${at}]; ${
        range(l.owned).map((c) => `${name}${i}_${c} += w * t${c};`).join(" ")
      } }`;
    }),
    "  }",
  ]);
}

/** Writes the owned rows and columns of a sum. */
export function writeSums(l: Layout, { name, to, firstRow, offset, width, factor = "" }: {
  name: string;
  to: string;
  firstRow: string;
  offset: string;
  width: number;
  factor?: string;
}): string {
  return lines(
    range(l.fragment).map((i) => {
      const writes = range(l.owned).map((c) => {
        const guard = (c + 1) * 8 > l.vectors ? `if (x + ${8 * c}u < ${l.vectors}u) ` : "";
        return `${guard}{ ${to}[r * ${width}u + ${offset} + x + ${8 * c}u] = ${name}${i}_${c}${
          factor.replaceAll("#", `${i}`)
        }; }`;
      });
      return `  { let r = ${firstRow} + y + ${8 * i}u; if (r < sizes.rows) { ${writes.join(" ")} } }`;
    }),
  );
}
