// After a header that defines weight_of(slot). dx[slot] = weight · gradient of the slot's sequence; 0 for slots of none.
struct Sizes { slots: u32, sequences: u32 }
@group(0) @binding(0) var<storage, read> sequence_of: array<u32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.slots) { return; }
  let sequence = sequence_of[i];
  let own = weight_of(i) * gradient[min(sequence, sizes.sequences - 1u)];
  dx[i] = select(0.0, own, sequence < sizes.sequences);
}
