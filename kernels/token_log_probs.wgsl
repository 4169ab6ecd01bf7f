// After the header of elements.ts. log p(target) = logit of the target − log Σ exp(logits), a row at a time; the log-sum is kept for the backward pass.
override LANES: u32; // threads that share a row

struct Sizes { rows: u32, elements: u32 } // elements in a row
@group(0) @binding(0) var<storage, read> logits: array<Element>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> log_probs: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_sums: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.x * (64u / LANES) + thread / LANES;
  let lane = thread % LANES;
  let first = min(row, sizes.rows - 1u) * sizes.elements;

  var highest_seen = Element(-3.4e38);
  for (var v = lane; v < sizes.elements; v += LANES) { highest_seen = max(highest_seen, logits[first + v]); }
  partial[thread] = highest(highest_seen);
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] = max(partial[thread], partial[thread + step]); }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let peak = partial[thread - lane];
  if (LANES > 1u) { workgroupBarrier(); }

  var sum = Element(0.0);
  for (var v = lane; v < sizes.elements; v += LANES) { sum += exp(logits[first + v] - Element(peak)); }
  partial[thread] = total(sum);
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (lane == 0u && row < sizes.rows) {
    let log_sum = peak + log(partial[thread]);
    let hit = targets[row];
    log_probs[row] = pick(logits[first + hit / WIDTH], hit % WIDTH) - log_sum;
    log_sums[row] = log_sum;
  }
}
