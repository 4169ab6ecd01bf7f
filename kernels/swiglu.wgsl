// y = silu(gate) · up, where a row holds gate and up side by side.
override VECTORS: u32; // vec4s in a row of y

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  if (index >= sizes.rows * VECTORS) { return; }
  let at = index / VECTORS * 2u * VECTORS + index % VECTORS;
  let gate = x[at];
  y[index] = gate / (1.0 + exp(-gate)) * x[at + VECTORS];
}
