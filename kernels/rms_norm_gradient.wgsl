// dx = factor · (w∘dy − x̂ · mean(w∘dy∘x̂)) (+ what has reached x already), with x̂ = x · factor.
override VECTORS: u32; // vec4s in a row
override LANES: u32; // threads that share a row
override ADD: bool; // whether `existing` is added

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> existing: array<vec4f>; // dy again where nothing is added
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = (group.x + group.y * groups.x) * (64u / LANES) + thread / LANES;
  let lane = thread % LANES;
  let at = min(row, sizes.rows - 1u) * VECTORS;
  let factor = factors[min(row, sizes.rows - 1u)];
  var sum = 0.0;
  for (var v = lane; v < VECTORS; v += LANES) { sum += dot(weight[v] * dy[at + v], x[at + v]); }
  partial[thread] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let mean = partial[thread - lane] * factor / f32(VECTORS * 4u);
  if (row >= sizes.rows) { return; }
  for (var v = lane; v < VECTORS; v += LANES) {
    var value = factor * (weight[v] * dy[at + v] - x[at + v] * (factor * mean));
    if (ADD) { value += existing[at + v]; }
    dx[at + v] = value;
  }
}
