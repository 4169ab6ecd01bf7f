// After the header of elements.ts. Of two models' logits for the same rows: the other's log p(target), and KL(p ‖ other) = Σ p (log p − log other).
override LANES: u32; // threads that share a row

struct Sizes { rows: u32, elements: u32 } // elements in a row
@group(0) @binding(0) var<storage, read> logits: array<Element>;
@group(0) @binding(1) var<storage, read> log_sums: array<f32>; // of `logits`
@group(0) @binding(2) var<storage, read> others: array<Element>;
@group(0) @binding(3) var<storage, read> targets: array<u32>;
@group(0) @binding(4) var<storage, read_write> log_probs: array<f32>;
@group(0) @binding(5) var<storage, read_write> divergences: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

var<workgroup> partial: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.x * (64u / LANES) + thread / LANES;
  let lane = thread % LANES;
  let known = min(row, sizes.rows - 1u);
  let first = known * sizes.elements;
  let log_sum = log_sums[known];

  var highest_seen = Element(-3.4e38);
  for (var v = lane; v < sizes.elements; v += LANES) { highest_seen = max(highest_seen, others[first + v]); }
  partial[thread] = vec2f(highest(highest_seen), 0.0);
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread].x = max(partial[thread].x, partial[thread + step].x); }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let peak = partial[thread - lane].x;
  if (LANES > 1u) { workgroupBarrier(); }

  // The other's sum is taken like `log_sums` was, so that equal logits give a divergence of exactly 0.
  var sum = Element(0.0);
  var difference = Element(0.0);
  for (var v = lane; v < sizes.elements; v += LANES) {
    let logit = logits[first + v];
    let other = others[first + v];
    sum += exp(other - Element(peak));
    difference += exp(logit - Element(log_sum)) * (logit - other);
  }
  partial[thread] = vec2f(total(sum), total(difference));
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (lane == 0u && row < sizes.rows) {
    let other_log_sum = peak + log(partial[thread].x);
    let hit = targets[row];
    log_probs[row] = pick(others[first + hit / WIDTH], hit % WIDTH) - other_log_sum;
    divergences[row] = partial[thread].y - log_sum + other_log_sum;
  }
}
