// The gradients of gate and up, side by side as in x.
override VECTORS: u32; // vec4s in a row of dy

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  if (index >= sizes.rows * VECTORS) { return; }
  let at = index / VECTORS * 2u * VECTORS + index % VECTORS;
  let gate = x[at];
  let sigmoid = 1.0 / (1.0 + exp(-gate));
  let silu = gate * sigmoid;
  dx[at] = dy[index] * x[at + VECTORS] * (sigmoid + silu * (1.0 - sigmoid));
  dx[at + VECTORS] = dy[index] * silu;
}
