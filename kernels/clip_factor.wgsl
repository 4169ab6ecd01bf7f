// Second stage: norm = √Σ partials; factor = min(1, limit / (norm + 1e-6)); finite = 0 if the norm is NaN or infinite.
override LIMIT: f32; // 0 for no clipping

struct Sizes { partials: u32 }
struct Norm { norm: f32, factor: f32, finite: f32, unused: f32 }
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: Norm;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = thread; i < sizes.partials; i += 64u) { sum += partials[i]; }
  partial[thread] = sum;
  for (var step = 32u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { partial[thread] += partial[thread + step]; }
  }
  if (thread != 0u) { return; }
  let norm = sqrt(partial[0]);
  // Comparisons with NaN can't be trusted in WGSL; its bits can.
  let finite = (bitcast<u32>(norm) & 0x7fffffffu) < 0x7f800000u;
  let factor = select(1.0, min(1.0, LIMIT / (norm + 1e-6)), LIMIT > 0.0);
  result = Norm(norm, select(0.0, factor, finite), select(0.0, 1.0, finite), 0.0);
}
