// stack[part, slot] ← a[part]: blocks of consecutive rows.
override BLOCK: u32; // vec4s in a block
override COUNT: u32; // blocks a part has in the stack

struct Sizes { vectors: u32 }
struct Shares { alpha: f32, slot: f32 }
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> stack: array<vec4f>;
@group(0) @binding(2) var<storage, read> shares: Shares;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors) { return; }
  let part = i / BLOCK;
  stack[(part * COUNT + u32(shares.slot)) * BLOCK + i % BLOCK] = a[i];
}
