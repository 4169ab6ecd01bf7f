// After the header of elements.ts. logits ← gradient · (onehot(target) − softmax(logits)), in place. A workgroup covers four
// times its threads of one row, so that what the row is told by is read once.
struct Sizes { rows: u32, elements: u32 } // elements in a row
@group(0) @binding(0) var<storage, read_write> logits: array<Element>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> log_sums: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

var<private> row: u32;
var<private> hit: u32;
var<private> log_sum: f32;
var<private> factor: f32;

fn derive(v: u32) {
  if (v >= sizes.elements) { return; }
  let at = row * sizes.elements + v;
  logits[at] = factor * (one_hot(v * WIDTH, hit) - exp(logits[at] - Element(log_sum)));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  row = group.y + group.z * groups.y;
  if (row >= sizes.rows) { return; }
  hit = targets[row];
  log_sum = log_sums[row];
  factor = gradient[row];
  let first = group.x * 256u + thread;
  derive(first);
  derive(first + 64u);
  derive(first + 128u);
  derive(first + 192u);
}
