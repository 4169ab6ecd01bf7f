// After the header of elements.ts. y = 0.
struct Sizes { elements: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<Element>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < sizes.elements) { y[i] = Element(0.0); }
}
