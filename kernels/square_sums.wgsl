// After a header of row_reduction.ts for whole workgroups. First stage of a norm: each workgroup sums the squares of a
// stretch.
struct Sizes { vectors: u32, offset: u32 } // offset: where this tensor's partial sums go
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let all = groups.x * THREADS;
  let count = (sizes.vectors + all - 1u) / all; // vectors a thread
  var squares = vec4f();
  for (var j = 0u; j < count; j++) {
    let i = (group.x * count + j) * THREADS + thread;
    if (i < sizes.vectors) { squares += x[i] * x[i]; }
  }
  let sum = row_total(squares, thread);
  if (thread == 0u) { partials[sizes.offset + group.x] = dot(sum, vec4f(1.0)); }
}
