// After an alias of Element. y = x in a block of a matrix.
struct Sizes { first: u32, per_row: u32, stride: u32, count: u32 } // elements: before the block, in its rows, in the matrix's rows, in all of it
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.count) { return; }
  let at = sizes.first + i / sizes.per_row * sizes.stride + i % sizes.per_row;
  y[at] = x[at];
}
