// First stage of dw = Σ_rows dy ∘ x · factor: each workgroup row sums a block of rows.
override VECTORS: u32; // vec4s in a row
override BLOCK: u32; // rows in a block

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>; // [blocks, VECTORS]
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let v = group.x * 64u + thread;
  if (v >= VECTORS) { return; }
  var sum = vec4f();
  for (var row = group.y * BLOCK; row < min(sizes.rows, (group.y + 1u) * BLOCK); row++) {
    sum += dy[row * VECTORS + v] * x[row * VECTORS + v] * factors[row];
  }
  partials[group.y * VECTORS + v] = sum;
}
