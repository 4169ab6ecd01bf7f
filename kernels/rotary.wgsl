// Rotary position embedding in place: element i of a head's first half turns with element i of its second half.
override HEADS: u32; // heads to rotate, from the start of a row
override HALF: u32; // vec4s in half a head
override WIDTH: u32; // vec4s in a row
override DIRECTION: f32; // 1 forward, -1 for the gradient

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> cosines: array<vec4f>; // [positions, HALF]
@group(0) @binding(3) var<storage, read> sines: array<vec4f>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  let row = index / (HEADS * HALF);
  if (row >= sizes.rows) { return; }
  let head = index / HALF % HEADS;
  let i = index % HALF;
  let c = cosines[positions[row] * HALF + i];
  let s = sines[positions[row] * HALF + i] * DIRECTION;
  let first = row * WIDTH + head * 2u * HALF + i;
  let a = x[first];
  let b = x[first + HALF];
  x[first] = a * c - b * s;
  x[first + HALF] = b * c + a * s;
}
