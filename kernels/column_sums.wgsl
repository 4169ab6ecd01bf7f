// After the header of elements.ts. y[block][column] (+)= Σ x[row][column] over the rows of a block.
override ELEMENTS: u32; // elements in a row
override ADD: bool; // whether the sums are added to y

struct Sizes { rows: u32, block: u32 } // rows in all and in a block
@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> y: array<Element>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = group.x * 64u + thread;
  if (column >= ELEMENTS) { return; }
  let last = min(sizes.rows, (group.y + 1u) * sizes.block);
  var sum = Element(0.0);
  for (var row = group.y * sizes.block; row < last; row++) { sum += x[row * ELEMENTS + column]; }
  let at = group.y * ELEMENTS + column;
  if (ADD) { sum += y[at]; }
  y[at] = sum;
}
