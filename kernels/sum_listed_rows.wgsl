// y[target of list i − first] (+)= Σ x[row] over the rows of list i, for the targets that y holds. Lists are in compressed form: list i holds rows starts[i] to starts[i + 1].
override VECTORS: u32; // vec4s in a row
override ADD: bool; // add to y, and leave the target of an empty list alone

struct Sizes { lists: u32, first: u32, entries: u32 } // entries: rows of y, which are those from `first` on
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> rows: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * groups.x * 64u;
  let list = index / VECTORS;
  let v = index % VECTORS;
  if (list >= sizes.lists) { return; }
  let entry = targets[list] - sizes.first;
  if (entry >= sizes.entries) { return; } // another part's, also if it wrapped around
  let first = starts[list];
  let last = starts[list + 1u];
  if (ADD && first == last) { return; }
  var sum = vec4f();
  for (var i = first; i < last; i++) { sum += x[rows[i] * VECTORS + v]; }
  let at = entry * VECTORS + v;
  if (ADD) { sum += y[at]; }
  y[at] = sum;
}
