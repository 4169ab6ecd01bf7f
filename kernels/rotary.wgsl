// After an alias of Element. Rotary position embedding in place: element i of the first half of what turns in a head goes
// with element i of the second half; the rest of the head stays.
override HEADS: u32; // heads to rotate, from the start of a row
override HEAD: u32; // elements of a head
override HALF: u32; // elements of half of what turns in it
override WIDTH: u32; // elements of a row
override DIRECTION: f32; // 1 forward, -1 for the gradient

struct Sizes { rows: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Element>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> cosines: array<Element>; // [positions, HALF]
@group(0) @binding(3) var<storage, read> sines: array<Element>;
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
  let first = row * WIDTH + head * HEAD + i;
  let a = x[first];
  let b = x[first + HALF];
  x[first] = a * c - b * s;
  x[first + HALF] = b * c + a * s;
}
