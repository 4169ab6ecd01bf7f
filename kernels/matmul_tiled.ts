/** WGSL of the matrix product for GPUs: tiles staged in workgroup memory, a block of outputs in each thread's registers. */
import {
  addedWgsl,
  type Epilogue,
  plusBindingsWgsl,
  plusSizesWgsl,
  timesScale,
  widenedVectorWgsl,
  widenedWgsl,
} from "./matmul_wgsl.ts";

/** How two factors lie in memory. */
interface Factors {
  /** `a` is stored [k, m] instead of [m, k]. */
  readonly transposeA: boolean;
  /** `b` is stored [n, k] instead of [k, n]. */
  readonly transposeB: boolean;
  /** Whether `a` may be read four elements at a time (its contiguous size is a multiple of 4). */
  readonly vectorA: boolean;
  /** The same for `b`. */
  readonly vectorB: boolean;
  /** `b` is in bfloat16, two elements to a word. */
  readonly packedB: boolean;
  /** Factor on their product. */
  readonly scale: number;
}

/** What a variant of the product computes and how. */
export interface TiledVariant extends Factors, Epilogue {
  /** Two more factors, whose product is added, where `scale` is 1 and nothing is split. */
  readonly plus: Factors | undefined;
  /** Whether the result may be written four elements at a time (n is a multiple of 4). */
  readonly vectorC: boolean;
  /** Each z of the grid sums a piece of the depth for a result of its own, instead of a product of a batch. */
  readonly split: boolean;
  /** Tile and thread block. */
  readonly tile: Tile;
}

/** Sizes of a workgroup's tile and of the block of outputs that one thread computes. */
export interface Tile {
  /** Rows of the result in a workgroup. */
  readonly m: number;
  /** Columns of the result in a workgroup. */
  readonly n: number;
  /** Depth staged at a time. */
  readonly k: number;
  /** Rows a thread computes. */
  readonly threadRows: number;
  /** Groups of four columns a thread computes. */
  readonly threadVectors: number;
}

/** Names of {@linkcode tiles}. */
export type TileName = "small" | "medium" | "wide" | "deep" | "large";

/** Tiles from few outputs a workgroup (more workgroups, for small products) to many (more reuse, for large ones). */
export const tiles: Readonly<Record<TileName, Tile>> = {
  small: { m: 32, n: 32, k: 16, threadRows: 4, threadVectors: 1 },
  medium: { m: 64, n: 64, k: 16, threadRows: 4, threadVectors: 1 },
  wide: { m: 64, n: 128, k: 16, threadRows: 8, threadVectors: 1 },
  deep: { m: 64, n: 64, k: 32, threadRows: 8, threadVectors: 2 },
  large: { m: 128, n: 128, k: 8, threadRows: 8, threadVectors: 2 },
};

/** Threads of a tile's workgroup. */
export function tileThreads({ m, n, threadRows, threadVectors }: Tile): number {
  return m / threadRows * (n / 4 / threadVectors);
}

/** Bytes of workgroup memory that a tile takes. */
export function tileBytes({ m, n, k }: Tile): number {
  return 4 * k * (m + PADDING + n);
}

/** Keeps the columns of the transposed `a` tile in different memory banks. */
const PADDING = 4;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * The WGSL of one variant. Bindings: a, b, result, the two factors of `plus`, residual and bias if added, uniforms
 * (`Sizes` in the text).
 */
export function tiledMatmulWgsl(variant: TiledVariant): string {
  const { tile, plus, add, bias, split, vectorA, vectorB, packedB, vectorC } = variant;
  const columns = tile.n / 4 / tile.threadVectors; // threads along n
  const threads = tileThreads(tile);
  const element = (vector: boolean) => vector ? "vec4f" : "f32";
  const accumulators = range(tile.threadRows).flatMap((i) =>
    range(tile.threadVectors).map((j) => `sum_${i}_${j}`)
  );
  return `
struct Sizes {
  m: u32, n: u32, k: u32,
  stride_a: u32, stride_b: u32, stride_c: u32, // elements from one line of the matrix to the next
  start_a: u32, start_b: u32, start_c: u32,    // where the block begins in its matrix
${split ? "  depth: u32, // of a piece, a multiple of the tile's\n" : ""}${plus ? plusSizesWgsl : ""}${
    bias ? "  start_bias: u32,\n" : ""
  }}
@group(0) @binding(0) var<storage, read> a: array<${element(vectorA)}>;
@group(0) @binding(1) var<storage, read> b: array<${packedB ? vectorB ? "vec2u" : "u32" : element(vectorB)}>;
@group(0) @binding(2) var<storage, read_write> c: array<${element(vectorC)}>;
${plus ? plusBindingsWgsl({ a: element(plus.vectorA), b: element(plus.vectorB) }) : ""}
${addedWgsl({ add, bias, element: element(vectorC), first: plus ? 5 : 3 })}
${packedB ? vectorB ? widenedVectorWgsl : widenedWgsl : ""}
var<workgroup> tile_a: array<f32, ${tile.k * (tile.m + PADDING)}>; // [k][m]
var<workgroup> tile_b: array<vec4f, ${tile.k * tile.n / 4}>; // [k][n / 4]

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = thread % ${columns}u;
  let row = thread / ${columns}u;
  let first_row = group.y * ${tile.m}u;
  let first_column = group.x * ${tile.n}u;
  let matrix = ${split ? "0u" : "group.z"};
  let base_a = sizes.start_a + matrix * sizes.m * sizes.k;
  let base_b = sizes.start_b + matrix * sizes.k * sizes.n;
  let base_c = sizes.start_c + group.z * sizes.m * sizes.n;
  let first = ${split ? "group.z * sizes.depth" : "0u"};
  let last = ${split ? "min(sizes.k, first + sizes.depth)" : "sizes.k"};
${accumulators.map((name) => `  var ${name} = vec4f();`).join("\n")}
${
    plus
      ? `
  let whole = (sizes.k + ${tile.k - 1}u) / ${tile.k}u * ${tile.k}u;
  for (var depth = 0u; depth < whole + sizes.plus_k; depth += ${tile.k}u) {
    if (depth < whole) {
      let k = depth;
${stage(variant, { tile, threads, prefix: "" })}
    } else {
      let k = depth - whole;
      let last = sizes.plus_k;
${stage(plus, { tile, threads, prefix: "plus_" })}
    }`
      : `
  for (var k = first; k < last; k += ${tile.k}u) {
${stage(variant, { tile, threads, prefix: "" })}`
  }
    workgroupBarrier();
${range(tile.k).map((k) => multiply(tile, columns, k)).join("\n")}
    workgroupBarrier();
  }
${store(variant, columns)}
}`;
}

interface Staging {
  readonly tile: Tile;
  readonly threads: number;
  /** What the names of the factors and of their sizes begin with. */
  readonly prefix: "" | "plus_";
}

/** Copies the tiles of two factors to workgroup memory. */
function stage(factors: Factors, staging: Staging): string {
  return `${stageA(factors, staging)}\n${stageB(factors, staging)}`;
}

/** Copies the tile of `a` to workgroup memory, k-major, zero outside the matrix. */
function stageA({ transposeA, vectorA, scale }: Factors, { tile, threads, prefix }: Staging): string {
  const width = vectorA ? 4 : 1;
  const perLine = (transposeA ? tile.m : tile.k) / width;
  const lines = transposeA ? tile.k : tile.m;
  const stride = tile.m + PADDING;
  const base = prefix === "" ? "base_a" : "sizes.plus_start_a";
  const element = `${prefix}a[(${base} + line * sizes.${prefix}stride_a + at) / ${width}u]${
    prefix === "" ? "" : timesScale(scale)
  }`;
  return eachLoad(lines * perLine, threads, (index) => {
    const load = transposeA
      ? `let line = k + ${index} / ${perLine}u; let at = first_row + ${index} % ${perLine}u * ${width}u;
        if (line < last && at < sizes.m) { value = ${element}; }
        let to = ${index} / ${perLine}u * ${stride}u + ${index} % ${perLine}u * ${width}u;`
      : `let line = first_row + ${index} / ${perLine}u; let at = k + ${index} % ${perLine}u * ${width}u;
        if (line < sizes.m && at < last) { value = ${element}; }
        let to = ${index} % ${perLine}u * ${width * stride}u + ${index} / ${perLine}u;`;
    const step = transposeA ? 1 : stride;
    const stores = vectorA
      ? range(4).map((e) => `tile_a[to + ${e * step}u] = value[${e}];`).join(" ")
      : "tile_a[to] = value;";
    return `var value = ${vectorA ? "vec4f()" : "0.0"}; ${load} ${stores}`;
  });
}

/**
 * Copies the tile of `b` to workgroup memory, four columns to an element, zero outside the matrix.
 *
 * A thread writes whole elements: WGSL lets a write to one component read and write back the others, as Metal and Direct3D
 * do, so that threads that fill one vector together would undo each other's writes.
 */
function stageB({ transposeB, vectorB, packedB }: Factors, { tile, threads, prefix }: Staging): string {
  const element = (at: string) =>
    !packedB
      ? `${prefix}b[(${at}) / ${vectorB ? 4 : 1}u]`
      : vectorB
      ? `widened(b[(${at}) / 4u])`
      : `widened(b[(${at}) / 2u], ${at})`;
  const zero = vectorB ? "vec4f()" : "0.0";
  const vectors = tile.n / 4;
  const base = prefix === "" ? "base_b" : "sizes.plus_start_b";
  const stride = `sizes.${prefix}stride_b`;
  if (transposeB) {
    const width = vectorB ? 4 : 1;
    const perLine = tile.k / width;
    return eachLoad(vectors * perLine, threads, (index) => {
      const loads = range(4).map((i) =>
        `var v${i} = ${zero}; if (line + ${i}u < sizes.n && k + at < last) {
          v${i} = ${element(`${base} + (line + ${i}u) * ${stride} + k + at`)};
        }`
      );
      const stores = range(width).map((e) => {
        const columns = range(4).map((i) => vectorB ? `v${i}[${e}]` : `v${i}`);
        return `tile_b[(at + ${e}u) * ${vectors}u + four] = vec4f(${columns.join(", ")});`;
      });
      return `let four = ${index} / ${perLine}u; let line = first_column + four * 4u;
        let at = ${index} % ${perLine}u * ${width}u;
        ${loads.join(" ")} ${stores.join(" ")}`;
    });
  }
  return eachLoad(tile.k * vectors, threads, (index) => {
    const at = `${base} + (k + line) * ${stride} + first_column + at`;
    const load = vectorB
      ? `if (k + line < last && first_column + at < sizes.n) { value = ${element(at)}; }`
      : range(4).map((i) =>
        `if (k + line < last && first_column + at + ${i}u < sizes.n) { value[${i}] = ${
          element(`${at} + ${i}u`)
        }; }`
      ).join(" ");
    return `let line = ${index} / ${vectors}u; let at = ${index} % ${vectors}u * 4u; var value = vec4f();
        ${load} tile_b[line * ${vectors}u + at / 4u] = value;`;
  });
}

/** Shares `count` loads among the threads; the last round is guarded when they don't divide evenly. */
function eachLoad(count: number, threads: number, body: (index: string) => string): string {
  return range(Math.ceil(count / threads)).map((round) => {
    const guard = (round + 1) * threads > count ? `if (thread < ${count - round * threads}u) ` : "";
    return `    ${guard}{ let index = thread + ${round * threads}u; ${body("index")} }`;
  }).join("\n");
}

/** One step of depth, as straight-line code: loops and indexed private arrays cost more here than the arithmetic. */
function multiply({ m, n, threadRows, threadVectors }: Tile, columns: number, k: number): string {
  const loads = range(threadVectors).map((j) => `let b${j} = tile_b[${k * n / 4 + j * columns}u + column];`);
  const products = range(threadRows).map((i) => {
    const sums = range(threadVectors).map((j) => `sum_${i}_${j} = fma(vec4f(a${i}), b${j}, sum_${i}_${j});`);
    return `let a${i} = tile_a[${k * (m + PADDING)}u + row * ${threadRows}u + ${i}u]; ${sums.join(" ")}`;
  });
  return `    { ${loads.join(" ")}\n      ${products.join("\n      ")} }`;
}

function store({ tile, vectorC, add, bias, scale }: TiledVariant, columns: number): string {
  const combine = ({ at, column, value }: { at: string; column: string; value: string }) => {
    const added = add === "nothing" ? "" : add === "result" ? ` + c[${at}]` : ` + residual[${at}]`;
    const shift = !bias ? "" : ` + bias[(sizes.start_bias + ${column})${vectorC ? " / 4u" : ""}]`;
    return `c[${at}] = ${value}${timesScale(scale)}${shift}${added};`;
  };
  return range(tile.threadRows).map((i) => {
    const writes = range(tile.threadVectors).map((j) => {
      const first = `first_column + (column + ${j * columns}u) * 4u`;
      const at = `base_c + at_row * sizes.stride_c + ${first}`;
      if (vectorC) {
        return `if (${first} < sizes.n) { ${
          combine({ at: `(${at}) / 4u`, column: first, value: `sum_${i}_${j}` })
        } }`;
      }
      return range(4).map((e) =>
        `if (${first} + ${e}u < sizes.n) { ${
          combine({ at: `${at} + ${e}u`, column: `${first} + ${e}u`, value: `sum_${i}_${j}[${e}]` })
        } }`
      ).join(" ");
    });
    return `  { let at_row = first_row + row * ${tile.threadRows}u + ${i}u; if (at_row < sizes.m) { ${
      writes.join(" ")
    } } }`;
  }).join("\n");
}
