// y = (x − mean) · rsqrt(variance + ε) · weight + bias, a row at a time; mean and factor are kept for the backward pass.
override VECTORS: u32; // vec4s in a row
override LANES: u32; // threads that share a row
override EPSILON: f32;

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> statistics: array<vec2f>; // mean and factor of each row
@group(0) @binding(5) var<uniform> sizes: Sizes;

var<workgroup> partial: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = (group.x + group.y * groups.x) * (64u / LANES) + thread / LANES;
  let lane = thread % LANES;
  let at = min(row, sizes.rows - 1u) * VECTORS;
  let channels = f32(VECTORS * 4u);
  var sum = vec4f();
  for (var v = lane; v < VECTORS; v += LANES) { sum += x[at + v]; }
  partial[thread] = vec2f(dot(sum, vec4f(1.0)), 0.0);
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let near = partial[thread - lane].x / channels;
  if (LANES > 1u) { workgroupBarrier(); }

  // Squares of distances, never of x itself: those would drown a small variance beside a large mean. The distances' own
  // sum is what rounding has left out of the first mean.
  var rest = vec4f();
  var squares = vec4f();
  for (var v = lane; v < VECTORS; v += LANES) {
    let distance = x[at + v] - near;
    rest += distance;
    squares += distance * distance;
  }
  partial[thread] = vec2f(dot(rest, vec4f(1.0)), dot(squares, vec4f(1.0)));
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let moments = partial[thread - lane] / channels;
  let mean = near + moments.x;
  let factor = inverseSqrt(max(moments.y - moments.x * moments.x, 0.0) + EPSILON);
  if (row >= sizes.rows) { return; }
  for (var v = lane; v < VECTORS; v += LANES) { y[at + v] = (x[at + v] - mean) * factor * weight[v] + bias[v]; }
  if (lane == 0u) { statistics[row] = vec2f(mean, factor); }
}
