// into[column] += Σ_rows partials[row][column]: the second stage of sums over many rows.
override VECTORS: u32; // vec4s in a row

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> into: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= VECTORS) { return; }
  var sum = vec4f();
  for (var row = 0u; row < sizes.rows; row++) { sum += partials[row * VECTORS + id.x]; }
  into[id.x] += sum;
}
