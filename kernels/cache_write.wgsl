// Keeps the keys and values of every row: cache[sequence, position] = what follows the queries in the row of qkv.
override WIDTH: u32; // vec4s in a row of qkv
override KEPT: u32; // of these the last ones, keys and values

struct Sizes { rows: u32, sequences: u32, length: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> sequence_of: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read_write> cache: array<vec4f>; // [sequences, length, KEPT]
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  let row = index / KEPT;
  if (row >= sizes.rows) { return; }
  let sequence = sequence_of[row];
  if (sequence >= sizes.sequences) { return; }
  let i = index % KEPT;
  cache[(sequence * sizes.length + positions[row]) * KEPT + i] = qkv[row * WIDTH + WIDTH - KEPT + i];
}
