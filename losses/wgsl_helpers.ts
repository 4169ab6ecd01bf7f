/** Names of the WGSL functions that generated losses may call. */
export type WgslHelper =
  | "loss_log1p"
  | "loss_exp"
  | "loss_sigmoid"
  | "loss_log_sigmoid"
  | "loss_log1mexp";

interface HelperSource {
  readonly needs: readonly WgslHelper[];
  readonly source: string;
}

/**
 * WGSL's own functions don't serve here: `log` near 1 is only accurate to an absolute error, `exp` may overflow to
 * anything, and tricks that rely on the rounding of 1 + y are undone by fast-math compilers.
 */
const helperSources: Readonly<Record<WgslHelper, HelperSource>> = {
  loss_log1p: {
    needs: [],
    // log(1 + y) = 2 artanh(y / (2 + y)); the argument is at most 1/3 in size, so seven terms leave 2e-9.
    source: `// log(1 + y) for -0.5 <= y <= 1.
fn loss_log1p(y: f32) -> f32 {
  let s = y / (2.0 + y);
  let t = s * s;
  let series = 1.0 + t * (1.0 / 3.0 + t * (1.0 / 5.0 + t * (1.0 / 7.0 + t * (1.0 / 9.0
    + t * (1.0 / 11.0 + t * (1.0 / 13.0 + t * (1.0 / 15.0)))))));
  return 2.0 * s * series;
}`,
  },
  loss_exp: {
    needs: [],
    source: `// e^x, at most 3e38; NaN stays NaN.
fn loss_exp(x: f32) -> f32 {
  return select(exp(x), 3e38, x > 88.0);
}`,
  },
  loss_sigmoid: {
    needs: [],
    source: `// 1 / (1 + e^-x) without overflow.
fn loss_sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}`,
  },
  loss_log_sigmoid: {
    needs: ["loss_log1p"],
    source: `// log(1 / (1 + e^-x)), relatively accurate for x of either sign.
fn loss_log_sigmoid(x: f32) -> f32 {
  return min(x, 0.0) - loss_log1p(exp(-abs(x)));
}`,
  },
  loss_log1mexp: {
    needs: ["loss_log1p"],
    // 1 - e^x near 0 by its Taylor series, to the term x^11 / 11!.
    source: `// log(1 - e^x) for x < 0; larger x counts as -1e-30.
fn loss_log1mexp(x: f32) -> f32 {
  let y = clamp(x, -0.6931472, -1e-30);
  let series = 1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0 * (1.0 + y / 5.0 * (1.0 + y / 6.0
    * (1.0 + y / 7.0 * (1.0 + y / 8.0 * (1.0 + y / 9.0 * (1.0 + y / 10.0 * (1.0 + y / 11.0)))))))));
  let near = log(max(-y * series, 1e-30));
  let far = loss_log1p(-min(exp(x), 0.5));
  return select(near, far, x < -0.6931472);
}`,
  },
};

/** The WGSL text of `helpers` and of what they call, each function once and before its callers. */
export function helperText(helpers: Iterable<WgslHelper>): string {
  const included = new Set<WgslHelper>();
  const include = (helper: WgslHelper): void => {
    helperSources[helper].needs.forEach(include);
    included.add(helper);
  };
  for (const helper of helpers) include(helper);
  return [...included].map((helper) => helperSources[helper].source).join("\n\n");
}
