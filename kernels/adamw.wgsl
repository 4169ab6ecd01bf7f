// AdamW with decoupled decay (Loshchilov & Hutter, arXiv 1711.05101), four elements a thread. Nothing moves if the
// gradient's norm was not finite.
override BETA1: f32;
override BETA2: f32;
override EPSILON: f32;
override DECAY: f32;

struct Sizes { vectors: u32, decayed: u32 } // decay applies to the first `decayed` vec4s
struct Step { learning_rate: f32, correction1: f32, correction2: f32, unused: f32 } // corrections: 1 - beta^t
struct Norm { norm: f32, factor: f32, finite: f32, unused: f32 }
@group(0) @binding(0) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(4) var<storage, read> step: Step;
@group(0) @binding(5) var<storage, read> norm: Norm;
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors || norm.finite == 0.0) { return; }
  let g = gradient[i] * norm.factor;
  let m = BETA1 * first[i] + (1.0 - BETA1) * g;
  let v = BETA2 * second[i] + (1.0 - BETA2) * g * g;
  first[i] = m;
  second[i] = v;
  let change = (m / step.correction1) / (sqrt(v / step.correction2) + EPSILON);
  let decay = select(0.0, DECAY, i < sizes.decayed);
  parameter[i] -= step.learning_rate * (decay * parameter[i] + change);
}
