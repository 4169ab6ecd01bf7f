// dy ← factor · (w∘dy − x̂ · mean(w∘dy∘x̂)) for every query and key head, with x̂ = x · factor; values pass it on as it is.
override HEADS: u32; // query heads
override KEY_HEADS: u32; // key heads, and as many value heads
override VECTORS: u32; // vec4s in a head
override LANES: u32; // threads that share a head

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> query_weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> key_weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> factors: array<f32>; // [rows, HEADS + KEY_HEADS]
@group(0) @binding(4) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

var<workgroup> partial: array<f32, 64>;

fn weight(head: u32, v: u32) -> vec4f {
  if (head < HEADS) { return query_weight[v]; }
  return key_weight[v];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let normed = HEADS + KEY_HEADS;
  let index = (group.x + group.y * groups.x) * (64u / LANES) + thread / LANES; // of the query or key head, row by row
  let lane = thread % LANES;
  let known = min(index, sizes.rows * normed - 1u);
  let head = known % normed;
  let at = (known / normed * (normed + KEY_HEADS) + head) * VECTORS;
  let factor = factors[known];
  var sum = 0.0;
  for (var v = lane; v < VECTORS; v += LANES) { sum += dot(weight(head, v) * dy[at + v], x[at + v]); }
  partial[thread] = sum;
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] += partial[thread + step]; }
  }
  if (LANES > 1u) { workgroupBarrier(); }
  let mean = partial[thread - lane] * factor / f32(VECTORS * 4u);
  if (index >= sizes.rows * normed) { return; }
  for (var v = lane; v < VECTORS; v += LANES) {
    dy[at + v] = factor * (weight(head, v) * dy[at + v] - x[at + v] * (factor * mean));
  }
}
