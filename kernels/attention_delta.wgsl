// delta[row][head] = output · output gradient: what every score of the row loses in the softmax's backward pass.
override HEADS: u32;
override VECTORS: u32; // vec4s in a head

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> attended: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.rows * HEADS) { return; }
  var sum = 0.0;
  for (var v = 0u; v < VECTORS; v++) {
    sum += dot(attended[i * VECTORS + v], gradient[i * VECTORS + v]);
  }
  delta[i] = sum;
}
