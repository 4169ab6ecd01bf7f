// After the header of elements.ts. logits ← gradient · (onehot(target) − softmax(logits)), in place.
struct Sizes { rows: u32, elements: u32 } // elements in a row
@group(0) @binding(0) var<storage, read_write> logits: array<Element>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> log_sums: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  let row = index / sizes.elements;
  if (row >= sizes.rows) { return; }
  let hit = one_hot(index % sizes.elements * WIDTH, targets[row]);
  logits[index] = gradient[row] * (hit - exp(logits[index] - Element(log_sums[row])));
}
