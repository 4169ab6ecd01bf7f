// Attention of one row and head over a cached sequence. 64 keys at a time: first a thread scores a key, then the threads
// share the weighted sum of the values, neighbours reading neighbouring channels.
override HEADS: u32;
override GROUP: u32; // query heads that share a key/value head
override VECTORS: u32; // vec4s in a head, at most 64

struct Sizes { rows: u32, sequences: u32, length: u32, scale: f32, window: u32 }
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> sequence_of: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> cache: array<vec4f>; // [sequences, length, keys then values]
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

var<workgroup> query: array<vec4f, 64>;
var<workgroup> scores: array<f32, 64>;
var<workgroup> weights: array<f32, 64>;
var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.x;
  let head = group.y;
  let sequence = sequence_of[row];
  if (sequence >= sizes.sequences) {
    if (thread < VECTORS) { result[(row * HEADS + head) * VECTORS + thread] = vec4f(); }
    return;
  }
  let kv_vectors = HEADS / GROUP * VECTORS;
  let width = 2u * kv_vectors;
  let keys = sequence * sizes.length * width + head / GROUP * VECTORS;
  let values = keys + kv_vectors;
  let count = positions[row] + 1u;
  if (thread < VECTORS) {
    query[thread] = sizes.scale * qkv[row * (HEADS * VECTORS + width) + head * VECTORS + thread];
  }
  workgroupBarrier();

  let parts = 64u / VECTORS; // each sums every parts-th value of a chunk
  let part = thread / VECTORS;
  let channel = thread % VECTORS;
  var peak = -1e30;
  var total = 0.0; // of the keys that this thread scored
  var sum = vec4f();
  for (var first = count - min(count, sizes.window); first < count; first += 64u) {
    var score = -1e30;
    if (first + thread < count) {
      let key = keys + (first + thread) * width;
      score = 0.0;
      for (var v = 0u; v < VECTORS; v++) { score += dot(query[v], cache[key + v]); }
    }
    scores[thread] = score;
    workgroupBarrier();
    var highest = peak;
    for (var i = 0u; i < 64u; i++) { highest = max(highest, scores[i]); }
    let shrink = exp(peak - highest);
    peak = highest;
    let weight = exp(score - peak);
    weights[thread] = weight;
    total = total * shrink + weight;
    // Nobody writes scores again before all have read them, nor weights: one barrier lies between in each case.
    workgroupBarrier();
    sum *= shrink;
    if (part < parts) {
      for (var i = part; i < min(64u, count - first); i += parts) {
        sum += weights[i] * cache[values + (first + i) * width + channel];
      }
    }
  }

  scores[thread] = total;
  partial[thread] = sum;
  workgroupBarrier();
  if (thread < VECTORS) {
    for (var p = 1u; p < parts; p++) { sum += partial[p * VECTORS + thread]; }
    var all = 0.0;
    for (var i = 0u; i < 64u; i++) { all += scores[i]; }
    result[(row * HEADS + head) * VECTORS + thread] = sum / all;
  }
}
