// First stage of dw = Σ dy ∘ x · factor over all rows and heads: sums over blocks of rows, a head at a time.
override HEADS: u32; // query heads
override KEY_HEADS: u32; // key heads, and as many value heads
override VECTORS: u32; // vec4s in a head
override BLOCK: u32; // rows in a block

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> factors: array<f32>; // [rows, HEADS + KEY_HEADS]
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> queries: array<vec4f>; // [blocks, HEADS, VECTORS]
@group(0) @binding(4) var<storage, read_write> keys: array<vec4f>; // [blocks, KEY_HEADS, VECTORS]
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let normed = HEADS + KEY_HEADS;
  let column = group.x * 64u + thread;
  if (column >= normed * VECTORS) { return; }
  let head = column / VECTORS;
  var sum = vec4f();
  for (var row = group.y * BLOCK; row < min(sizes.rows, (group.y + 1u) * BLOCK); row++) {
    let at = row * (normed + KEY_HEADS) * VECTORS + column;
    sum += dy[at] * x[at] * factors[row * normed + head];
  }
  if (head < HEADS) {
    queries[group.y * HEADS * VECTORS + column] = sum;
  } else {
    keys[group.y * KEY_HEADS * VECTORS + column - HEADS * VECTORS] = sum;
  }
}
