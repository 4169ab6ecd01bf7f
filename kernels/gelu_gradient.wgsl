// After erf.wgsl. dx = dy · (Φ(x) + x · Φ′(x)), Φ exact or by tanh.
override TANH: bool; // Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2

struct Sizes { vectors: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.vectors) { return; }
  if (TANH) {
    let at = clamp(x[i], vec4f(-10.0), vec4f(10.0)); // beyond, the slope is 0 or 1
    let power = exp(-1.59576912 * at * (1.0 + 0.044715 * at * at));
    let sigmoid = 1.0 / (1.0 + power);
    let slope = 1.59576912 * (1.0 + 0.134145 * at * at);
    dx[i] = dy[i] * (sigmoid + at * sigmoid * (power * sigmoid) * slope);
  } else {
    let at = clamp(x[i], vec4f(-12.0), vec4f(12.0)); // beyond, the density is 0
    dx[i] = dy[i] * (normal_cdf(at) + at * 0.398942280 * exp(-0.5 * at * at));
  }
}
