// dx = factor · (w∘dy − mean(w∘dy) − x̂ · mean(w∘dy∘x̂)) (+ what has reached x already), with x̂ = (x − mean) · factor.
override VECTORS: u32; // vec4s in a row
override LANES: u32; // threads that share a row
override ADD: bool; // whether `existing` is added

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>; // mean and factor of each row
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> existing: array<vec4f>; // dy again where nothing is added
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

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
  let mean = statistics[min(row, sizes.rows - 1u)].x;
  let factor = statistics[min(row, sizes.rows - 1u)].y;
  var sum = vec2f();
  for (var v = lane; v < VECTORS; v += LANES) {
    let scaled = weight[v] * dy[at + v];
    sum += vec2f(dot(scaled, vec4f(1.0)), dot(scaled, x[at + v] - mean));
  }
  partial[thread] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let means = partial[thread - lane] / f32(VECTORS * 4u);
  if (row >= sizes.rows) { return; }
  for (var v = lane; v < VECTORS; v += LANES) {
    var value = factor * (weight[v] * dy[at + v] - means.x - (x[at + v] - mean) * (factor * factor * means.y));
    if (ADD) { value += existing[at + v]; }
    dx[at + v] = value;
  }
}
