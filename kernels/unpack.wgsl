// y = x, widened from bfloat16: the upper half of a float32. Two to a word, the first in the lower bits.
struct Sizes { vectors: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors) { return; }
  let words = x[i].xxyy;
  y[i] = bitcast<vec4f>(select(words & vec4u(0xffff0000u), words << vec4u(16u), vec4<bool>(true, false, true, false)));
}
