// average ← α policy + (1 − α) average; reference ← average + bias (policy − initial).
struct Sizes { vectors: u32 }
@group(0) @binding(0) var<storage, read_write> reference: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> average: array<vec4f>;
@group(0) @binding(2) var<storage, read> policy: array<vec4f>;
@group(0) @binding(3) var<storage, read> initial: array<vec4f>;
@group(0) @binding(4) var<storage, read> alpha: vec4f; // α in x, the bias in y
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors) { return; }
  let current = policy[i];
  let mean = alpha.x * current + (1.0 - alpha.x) * average[i];
  average[i] = mean;
  reference[i] = mean + alpha.y * (current - initial[i]);
}
