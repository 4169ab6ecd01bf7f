// First stage of a norm: each workgroup sums the squares of its stride.
struct Sizes { vectors: u32, offset: u32 } // offset: where this tensor's partial sums go
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  var sum = 0.0;
  for (var i = group.x * 64u + thread; i < sizes.vectors; i += groups.x * 64u) { sum += dot(x[i], x[i]); }
  partial[thread] = sum;
  for (var step = 32u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { partial[thread] += partial[thread + step]; }
  }
  if (thread == 0u) { partials[sizes.offset + group.x] = partial[0]; }
}
