// After the headers of row_reduction.ts and elements.ts. log p(target) − log Σ p², a row at a time: how likely the target
// is beside what the model itself would draw.
struct Sizes { rows: u32, elements: u32 } // elements in a row
@group(0) @binding(0) var<storage, read> logits: array<Element>;
@group(0) @binding(1) var<storage, read> log_sums: array<f32>;
@group(0) @binding(2) var<storage, read> log_probs: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_weights: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = (group.x + group.y * groups.x) * (THREADS / LANES) + thread / LANES;
  let lane = thread % LANES;
  let known = min(row, sizes.rows - 1u);
  let log_sum = log_sums[known];
  var sum = Element(0.0); // at least 1 / vocabulary, so that it never vanishes
  for (var v = lane; v < sizes.elements; v += LANES) {
    sum += exp(2.0 * (logits[known * sizes.elements + v] - Element(log_sum)));
  }
  let row_sum = row_total(vec4f(total(sum)), thread).x;
  if (lane == 0u && row < sizes.rows) { log_weights[row] = log_probs[row] - log(row_sum); }
}
