// reference ← α policy + (1 − α) reference; α = 1 copies exactly.
struct Sizes { vectors: u32 }
@group(0) @binding(0) var<storage, read_write> reference: array<vec4f>;
@group(0) @binding(1) var<storage, read> policy: array<vec4f>;
@group(0) @binding(2) var<storage, read> alpha: vec4f; // in x
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors) { return; }
  let share = alpha.x;
  let current = policy[i];
  reference[i] = select(share * current + (1.0 - share) * reference[i], current, share == 1.0);
}
