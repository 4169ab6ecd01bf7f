// y[row] = table[token of row − first], for the tokens that the table holds, widened from bfloat16: two to a word, the first in the lower bits.
override VECTORS: u32; // vec4s in a row

struct Sizes { rows: u32, first: u32, entries: u32 } // entries: rows of the table, which are those from `first` on
@group(0) @binding(0) var<storage, read> table: array<vec2u>;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  if (index >= sizes.rows * VECTORS) { return; }
  let entry = tokens[index / VECTORS] - sizes.first;
  if (entry >= sizes.entries) { return; } // another part's, also if it wrapped around
  let words = table[entry * VECTORS + index % VECTORS].xxyy;
  y[index] = bitcast<vec4f>(
    select(words & vec4u(0xffff0000u), words << vec4u(16u), vec4<bool>(true, false, true, false)));
}
