/** WGSL of the pass after a matrix product whose inner size was split: adds the sums, always in the same order. */
import { addedWgsl, type Epilogue, timesScale } from "./matmul_wgsl.ts";

/**
 * The WGSL: c = scale · Σ sums (+ bias) (+ c or residual), a thread an element.
 *
 * Bindings: sums [splits, m, n], result, residual and bias if added, uniforms.
 *
 * @param options.vectors Whether an element is four numbers.
 */
export function sumSplitsWgsl(
  { scale, add, bias, vectors }: Epilogue & { scale: number; vectors: boolean },
): string {
  const element = vectors ? "vec4f" : "f32";
  const added = add === "nothing" ? "" : add === "result" ? " + c[at]" : " + residual[at]";
  return `
struct Sizes {
  count: u32, columns: u32, stride: u32, start: u32, splits: u32, // in elements of this kernel
${bias ? "  start_bias: u32,\n" : ""}}
@group(0) @binding(0) var<storage, read> sums: array<${element}>;
@group(0) @binding(1) var<storage, read_write> c: array<${element}>;
${addedWgsl({ add, bias, element, first: 2 })}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.count) { return; }
  var sum = sums[i];
  for (var split = 1u; split < sizes.splits; split++) { sum += sums[split * sizes.count + i]; }
  let column = i % sizes.columns;
  let at = sizes.start + i / sizes.columns * sizes.stride + column;
  c[at] = sum${timesScale(scale)}${bias ? " + bias[sizes.start_bias + column]" : ""}${added};
}`;
}
