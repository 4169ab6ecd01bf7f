// After erf.wgsl. y = x · Φ(x), Φ exact or by tanh.
override TANH: bool; // Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2

struct Sizes { vectors: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors) { return; }
  let value = x[i];
  if (TANH) {
    // (1 + tanh u) / 2 = 1 / (1 + exp(−2u)); beyond ±10, where exp could overflow, it is 0 or 1.
    let at = clamp(value, vec4f(-10.0), vec4f(10.0));
    let sigmoid = 1.0 / (1.0 + exp(-1.59576912 * at * (1.0 + 0.044715 * at * at)));
    y[i] = value * select(sigmoid, vec4f(), value < vec4f(-10.0));
  } else {
    y[i] = value * normal_cdf(value);
  }
}
