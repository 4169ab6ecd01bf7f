// After the headers of row_reduction.ts and elements.ts. What token_log_probs.wgsl computes, of two models' logits for the
// same rows, and KL(p ‖ other) = Σ p (log p − log other), all in one pass over both.
struct Sizes { rows: u32, elements: u32 } // elements in a row
@group(0) @binding(0) var<storage, read> logits: array<Element>;
@group(0) @binding(1) var<storage, read> others: array<Element>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> log_probs: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> other_log_probs: array<f32>;
@group(0) @binding(6) var<storage, read_write> divergences: array<f32>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = (group.x + group.y * groups.x) * (THREADS / LANES) + thread / LANES;
  let lane = thread % LANES;
  let first = min(row, sizes.rows - 1u) * sizes.elements;

  // Both sums are taken alike, so that equal logits give a divergence of exactly 0.
  var peaks = vec2f(-1e38);
  var sum = Element(0.0);
  var other_sum = Element(0.0);
  var difference = Element(0.0); // Σ exp(logit) (logit − other), related to the first peak
  for (var v = lane; v < sizes.elements; v += LANES) {
    let logit = logits[first + v];
    let other = others[first + v];
    let higher = max(peaks, vec2f(highest(logit), highest(other)));
    let shrink = exp(peaks - higher);
    let weight = exp(logit - Element(higher.x));
    sum = sum * shrink.x + weight;
    difference = difference * shrink.x + weight * (logit - other);
    other_sum = other_sum * shrink.y + exp(other - Element(higher.y));
    peaks = higher;
  }
  let row_peaks = row_highest(vec4f(peaks, 0.0, 0.0), thread).xy;
  let shrink = exp(peaks - row_peaks);
  let sums = vec4f(total(sum) * shrink.x, total(difference) * shrink.x, total(other_sum) * shrink.y, 0.0);
  let row_sums = row_total(sums, thread);
  if (lane == 0u && row < sizes.rows) {
    let log_sum = row_peaks.x + log(row_sums.x);
    let other_log_sum = row_peaks.y + log(row_sums.z);
    let hit = targets[row];
    log_probs[row] = pick(logits[first + hit / WIDTH], hit % WIDTH) - log_sum;
    log_sums[row] = log_sum;
    other_log_probs[row] = pick(others[first + hit / WIDTH], hit % WIDTH) - other_log_sum;
    divergences[row] = row_sums.y / row_sums.x - log_sum + other_log_sum;
  }
}
