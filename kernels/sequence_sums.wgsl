// After a header that defines weight_of(slot). sums[sequence] = Σ weight · x over its slots; slots of a sequence are contiguous, starts[sequence] to starts[sequence + 1].
override LANES: u32; // threads that share a sequence

struct Sizes { sequences: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let sequence = (group.x + group.y * groups.x) * (64u / LANES) + thread / LANES;
  let lane = thread % LANES;
  let known = min(sequence, sizes.sequences - 1u);
  var sum = 0.0;
  for (var i = starts[known] + lane; i < starts[known + 1u]; i += LANES) { sum += weight_of(i) * x[i]; }
  partial[thread] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (lane == 0u && sequence < sizes.sequences) { sums[sequence] = partial[thread]; }
}
