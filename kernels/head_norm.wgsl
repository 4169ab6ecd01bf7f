// y = x · rsqrt(mean(x²) + ε) · weight for every query and key head; value heads are copied. The factors are kept.
override HEADS: u32; // query heads
override KEY_HEADS: u32; // key heads, and as many value heads
override VECTORS: u32; // vec4s in a head
override LANES: u32; // threads that share a head
override EPSILON: f32;

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> query_weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> key_weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> factors: array<f32>; // [rows, HEADS + KEY_HEADS]
@group(0) @binding(5) var<uniform> sizes: Sizes;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let all = HEADS + 2u * KEY_HEADS;
  let index = (group.x + group.y * groups.x) * (64u / LANES) + thread / LANES; // of the head, row by row
  let lane = thread % LANES;
  let known = min(index, sizes.rows * all - 1u);
  let head = known % all;
  let at = known * VECTORS;
  var sum = 0.0;
  for (var v = lane; v < VECTORS; v += LANES) { sum += dot(x[at + v], x[at + v]); }
  partial[thread] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let factor = inverseSqrt(partial[thread - lane] / f32(VECTORS * 4u) + EPSILON);
  if (index >= sizes.rows * all) { return; }
  if (head >= HEADS + KEY_HEADS) {
    for (var v = lane; v < VECTORS; v += LANES) { y[at + v] = x[at + v]; }
    return;
  }
  for (var v = lane; v < VECTORS; v += LANES) {
    var weight = key_weight[v];
    if (head < HEADS) { weight = query_weight[v]; }
    y[at + v] = x[at + v] * factor * weight;
  }
  if (lane == 0u) { factors[index / all * (HEADS + KEY_HEADS) + head] = factor; }
}
