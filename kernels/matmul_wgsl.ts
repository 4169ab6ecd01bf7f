/** Text that the kernels of the matrix product share. */

/** What is done with a product before it is written. */
export interface Epilogue {
  /** What is added to the product: nothing, the previous contents of the result, or another tensor. */
  readonly add: "nothing" | "result" | "residual";
  /** Whether a bias is added to every row. */
  readonly bias: boolean;
}

/** Declarations of what a product's epilogue adds, and of the uniforms behind them; `first` is the first free binding. */
export function addedWgsl(
  { add, bias, element, first = 3 }: Pick<Epilogue, "add" | "bias"> & { element: string; first?: number },
): string {
  const names = [...(add === "residual" ? ["residual"] : []), ...(bias ? ["bias"] : [])];
  return [
    ...names.map((name, i) =>
      `@group(0) @binding(${first + i}) var<storage, read> ${name}: array<${element}>;`
    ),
    `@group(0) @binding(${first + names.length}) var<uniform> sizes: Sizes;`,
  ].join("\n");
}

/** The uniforms behind the factors of `plus`. */
export const plusSizesWgsl =
  `  plus_k: u32, plus_stride_a: u32, plus_stride_b: u32, plus_start_a: u32, plus_start_b: u32,
`;

/** Declarations of the factors of `plus`, with the types of their elements. */
export function plusBindingsWgsl({ a, b }: { a: string; b: string }): string {
  return `@group(0) @binding(3) var<storage, read> plus_a: array<${a}>;
@group(0) @binding(4) var<storage, read> plus_b: array<${b}>;`;
}

/** Decodes four elements of bfloat16, the upper halves of float32: two to a word, the first in the lower bits. */
export const widenedVectorWgsl = `
fn widened(words: vec2u) -> vec4f {
  return bitcast<vec4f>(vec4u(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u));
}
`;

/** Decodes one of the two elements in a word. */
export const widenedWgsl = `
fn widened(word: u32, at: u32) -> f32 {
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, at % 2u == 1u));
}
`;

/** The factor on a product as WGSL; nothing for 1. */
export function timesScale(scale: number): string {
  return scale === 1 ? "" : ` * f32(${scale})`;
}
