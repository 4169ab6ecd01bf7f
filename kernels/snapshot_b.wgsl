// stack[row, j] ← factors[j] · stack[row, j], and α · scale · b[row] in the slot: blocks of consecutive columns.
override WIDTH: u32; // vec4s in a row of b
override COUNT: u32; // blocks in a row of the stack
override SCALE: f32;

struct Sizes { vectors: u32 }
struct Shares { alpha: f32, slot: f32 }
@group(0) @binding(0) var<storage, read> b: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> stack: array<vec4f>;
@group(0) @binding(2) var<storage, read> shares: Shares;
@group(0) @binding(3) var<storage, read> factors: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors) { return; }
  let row = i / (WIDTH * COUNT);
  let place = i / WIDTH % COUNT;
  if (place == u32(shares.slot)) {
    stack[i] = shares.alpha * SCALE * b[row * WIDTH + i % WIDTH];
  } else {
    stack[i] *= factors[place];
  }
}
