// After the headers of row_reduction.ts and elements.ts. log p(target) = logit of the target − log Σ exp(logits), a row at
// a time and in one pass over it; the log-sum is kept for the backward pass.
struct Sizes { rows: u32, elements: u32 } // elements in a row
@group(0) @binding(0) var<storage, read> logits: array<Element>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> log_probs: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_sums: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = (group.x + group.y * groups.x) * (THREADS / LANES) + thread / LANES;
  let lane = thread % LANES;
  let first = min(row, sizes.rows - 1u) * sizes.elements;

  var peak = -1e38; // the largest logit so far, to which the sum relates; finite in base 2 as well
  var sum = Element(0.0);
  for (var v = lane; v < sizes.elements; v += LANES) {
    let logit = logits[first + v];
    let higher = max(peak, highest(logit));
    sum = sum * exp(peak - higher) + exp(logit - Element(higher));
    peak = higher;
  }
  let row_peak = row_highest(vec4f(peak), thread).x;
  let row_sum = row_total(vec4f(total(sum) * exp(peak - row_peak)), thread).x;
  if (lane == 0u && row < sizes.rows) {
    let log_sum = row_peak + log(row_sum);
    let hit = targets[row];
    log_probs[row] = pick(logits[first + hit / WIDTH], hit % WIDTH) - log_sum;
    log_sums[row] = log_sum;
  }
}
