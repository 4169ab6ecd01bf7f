// The error function, for GELU. WGSL has none.
//
// |z| < 1: z · P(z²), P the polynomial of degree 5 that is nearest to erf(z) / z in relative terms (4.0e-8);
// elsewhere: 1 − exp(−z²) · t · Q(t), t = 1 / (1 + 0.4 |z|), Q the polynomial of degree 6 that is nearest to
// exp(z²) erfc(z) / t in relative terms for 1 ≤ z ≤ 10 (3.1e-8).
// Both were found by Remez exchange on 4000 points with erf and erfc to 40 digits, then rounded to float32. In float32
// arithmetic the largest error on 400,001 points of [−6, 6] is 1.1e-7, in relative terms 1.7e-7, also near 0.

/** exp(z²) · erfc(z) for z ≥ 1. */
fn scaled_erfc(z: vec4f) -> vec4f {
  let t = 1.0 / (1.0 + 0.4 * z);
  return t * (0.225624159 + t * (0.226737127 + t * (0.1985026 + t * (0.213956773 + t * (0.00666404702 +
    t * (0.245063365 - t * 0.116798721))))));
}

/** erf(z) for |z| ≤ 1. */
fn near_erf(z: vec4f) -> vec4f {
  let s = z * z;
  return z * (1.12837911 + s * (-0.37612325 + s * (0.112801798 + s * (-0.0267113112 + s * (0.0049175513 -
    s * 0.000563142239)))));
}

/** erf(z) = 2 / √π ∫₀ᶻ exp(−t²) dt. */
fn erf(z: vec4f) -> vec4f {
  let size = min(abs(z), vec4f(9.0));
  let far = sign(z) * (1.0 - exp(-size * size) * scaled_erfc(size));
  return select(far, near_erf(z), size < vec4f(1.0));
}

/** Φ(x) = (1 + erf(x / √2)) / 2, the normal distribution function; small values keep their digits, down to 1e-37. */
fn normal_cdf(x: vec4f) -> vec4f {
  let z = clamp(x * 0.707106781, vec4f(-9.0), vec4f(9.0));
  let size = abs(z);
  let tail = 0.5 * exp(-size * size) * scaled_erfc(size);
  let far = select(select(tail, vec4f(), z == vec4f(-9.0)), 1.0 - tail, z > vec4f());
  return select(far, 0.5 + 0.5 * near_erf(z), size < vec4f(1.0));
}
