// logits ← gradient · (onehot(target) − softmax(logits)), in place.
struct Sizes { rows: u32, vocabulary: u32 }
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> log_sums: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  let row = index / sizes.vocabulary;
  if (row >= sizes.rows) { return; }
  let hit = select(0.0, 1.0, index % sizes.vocabulary == targets[row]);
  logits[index] = gradient[row] * (hit - exp(logits[index] - log_sums[row]));
}
