// First stage of dw = Σ_rows dy ∘ x̂ and db = Σ_rows dy, with x̂ = (x − mean) · factor: each workgroup row sums a block of rows.
override VECTORS: u32; // vec4s in a row
override BLOCK: u32; // rows in a block

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> statistics: array<vec2f>; // mean and factor of each row
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> weights: array<vec4f>; // [blocks, VECTORS]
@group(0) @binding(4) var<storage, read_write> biases: array<vec4f>; // [blocks, VECTORS]
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let v = group.x * 64u + thread;
  if (v >= VECTORS) { return; }
  var weight = vec4f();
  var bias = vec4f();
  for (var row = group.y * BLOCK; row < min(sizes.rows, (group.y + 1u) * BLOCK); row++) {
    let gradient = dy[row * VECTORS + v];
    weight += gradient * (x[row * VECTORS + v] - statistics[row].x) * statistics[row].y;
    bias += gradient;
  }
  weights[group.y * VECTORS + v] = weight;
  biases[group.y * VECTORS + v] = bias;
}
