/**
 * What the kernels are held against is itself held here: against numbers of PyTorch 1.13 in float64, and, at sizes where
 * a mistake in an index shows, each gradient against central differences of its own forward definition.
 *
 * The PyTorch numbers came from `torch.autograd` on the same waves, sin(rate · (i + 1)): softmax attention written with
 * `@`, `masked_fill` and `softmax`; `log_softmax`; `x * rsqrt(x.pow(2).mean(-1) + 0.01) * w`; `functional.layer_norm`,
 * `silu` and `gelu`; `torch.erf`; rotary as `x * cos + rotate_half(x) * sin`; `torch.optim.AdamW`.
 */
import { assertClose, randomValues } from "../harness.ts";
import { type AdamwState, adamwStep } from "./adamw.ts";
import { attention, attentionGradient, type AttentionReference, qkvWidth } from "./attention.ts";
import { erf, gelu, geluGradient } from "./gelu.ts";
import { layerNorm, layerNormGradients } from "./layer_norm.ts";
import { product, transpose } from "./matmul.ts";
import {
  rmsNorm,
  rmsNormGradients,
  rotary,
  swiglu,
  swigluGradient,
  tokenLogProbs,
  tokenLogProbsGradient,
} from "./rows.ts";

const wave = (count: number, rate: number) =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(rate * (i + 1)));

const inner = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);

/** d (gradient · f(x)) / dx by central differences; good to about 1e-9 here. */
function differences(
  f: (x: Float64Array) => ArrayLike<number>,
  { x, gradient }: { x: ArrayLike<number>; gradient: ArrayLike<number> },
): Float64Array {
  const step = 1e-5;
  return Float64Array.from(x, (_, i) => {
    const moved = (by: number) =>
      inner(f(Float64Array.from(x, (value, j) => j === i ? value + by : value)), gradient);
    return (moved(step) - moved(-step)) / (2 * step);
  });
}

const EXACT = 1e-10; // the printed digits
const DIFFERENCES = 1e-8;

Deno.test("the attention reference and its gradient are PyTorch's", () => {
  const qkv = wave(24, 1.7);
  const options = {
    rows: 3,
    heads: 2,
    keyValueHeads: 1,
    headSize: 2,
    sees: (i: number, j: number) => j <= i,
  };
  assertClose(attention(qkv, options), [
    ...[-0.618137112237, 0.859161814856, -0.618137112237, 0.859161814856],
    ...[-0.146542051224, 0.868867513446, -0.153136491981, 0.868731796049],
    ...[0.371652542881, 0.555100619476, 0.014970069606, 0.678221366353],
  ], { tolerance: EXACT, what: "attention" });
  assertClose(attentionGradient(qkv, { ...options, gradient: wave(12, 0.9) }), [
    ...[0.0, 0.0, 0.0, 0.0, 0.179399244134, -0.050111576303, 0.710254020892, 0.154185645211],
    ...[0.155484027711, 0.046608638681, -0.005182230306, -0.001553450238],
    ...[-0.141475791577, 0.109912525028, -0.213231224501, -0.104337379395],
    ...[-0.206652884755, 0.032817906241, 0.01245593044, 0.030517869533],
    ...[-0.037923452557, -0.059800948725, 0.26532169336, -0.066435446764],
  ], { tolerance: EXACT, what: "gradient" });
});

Deno.test("the attention reference's gradient is the derivative with several groups and gaps in what a row sees", () => {
  const options: AttentionReference = {
    rows: 5,
    heads: 4,
    keyValueHeads: 2,
    headSize: 3,
    sees: (i, j) => j <= i && (i - j) % 3 !== 2,
  };
  const qkv = randomValues(5 * qkvWidth(options), { seed: 1, scale: 2 });
  const gradient = randomValues(5 * 12, { seed: 2 });
  const expected = differences((x) => attention(x, options), { x: qkv, gradient });
  assertClose(attentionGradient(qkv, { ...options, gradient }), expected, {
    tolerance: DIFFERENCES,
    what: "gradient",
  });
});

Deno.test("the log-prob reference and its gradient are PyTorch's", () => {
  const logits = wave(8, 1.3).map((value) => 3 * value);
  const options = { vocabulary: 4, targets: [2, 0] };
  assertClose(tokenLogProbs(logits, options), [-5.194354124564, -2.557090603955], {
    tolerance: EXACT,
    what: "log-probs",
  });
  assertClose(tokenLogProbsGradient(logits, { ...options, gradient: [0.5, -2] }), [
    ...[-0.393164070785, -0.102519863175, 0.497226100828, -0.001542166867],
    ...[-1.844940043913, 1.626331148031, 0.211822143832, 0.006786752051],
  ], { tolerance: EXACT, what: "gradient" });
});

Deno.test("the RMSNorm reference and its gradients are PyTorch's", () => {
  const x = wave(8, 1.1);
  const options = { weight: wave(4, 0.7).map((value) => 1 + value), epsilon: 0.01 };
  assertClose(rmsNorm(x, options), [
    ...[1.884554707525, 2.064465630901, -0.377998295421, -1.633817184718],
    ...[-1.660007423336, 0.885122712837, 2.634640847438, 1.117379427502],
  ], { tolerance: EXACT, what: "y" });
  const gradients = rmsNormGradients(x, { ...options, gradient: wave(8, 0.6) });
  assertClose(gradients.x, [
    ...[0.63511405456, 1.872912292702, 2.432507143565, 1.756468748285],
    ...[-1.125436478925, -0.61368358106, -0.282480478928, -0.694704395808],
  ], { tolerance: EXACT, what: "dx" });
  assertClose(gradients.weight, [0.504701644305, 0.771854225889, -1.430006699087, -1.660447092424], {
    tolerance: EXACT,
    what: "dw",
  });
});

Deno.test("the SwiGLU reference and its gradient are PyTorch's", () => {
  const x = wave(8, 0.8);
  assertClose(
    swiglu(x, { channels: 2 }),
    [0.32562789829, -0.042651829692, 0.152563243239, -0.031312317143],
    { tolerance: EXACT, what: "y" },
  );
  assertClose(swigluGradient(x, { channels: 2, gradient: wave(4, 0.5) }), [
    ...[0.268826266086, -0.045560978462, 0.231121895341, 0.614831756445],
    ...[-0.097500827533, 0.007788468418, -0.241072569246, -0.244293467658],
  ], { tolerance: EXACT, what: "dx" });
});

Deno.test("the rotary reference is that of Hugging Face's Llama, and its inverse undoes it", () => {
  const options = { width: 4, heads: 1, headSize: 4, positions: [3, 7], frequencies: [1, 0.25] };
  const x = wave(8, 1.5);
  const y = rotary(x, { ...options, direction: 1 });
  assertClose(y, [
    ...[-0.849563494051, 0.293716372796, 1.108513982239, -0.108252342515],
    ...[1.285108622316, 0.454521716331, -0.046951202239, 0.501160804127],
  ], { tolerance: EXACT, what: "y" });
  assertClose(rotary(y, { ...options, direction: -1 }), x, { tolerance: 1e-15, what: "x" });
});

Deno.test("the rotary reference with two frequencies for heads of 6 is that of Hugging Face's GPT-NeoX", () => {
  const options = { width: 6, heads: 1, headSize: 6, positions: [3, 7], frequencies: [1, 0.25] };
  assertClose(rotary(wave(12, 1.5), { ...options, direction: 1 }), [
    ...[-0.849563494051, 0.293716372796, 1.108513982239, -0.108252342515, 0.937999976775, 0.412118485242],
    ...[-1.191280213082, -0.544232089936, 0.028026565932, -0.64389145333, -0.711785342369, -0.750987246772],
  ], { tolerance: EXACT, what: "y" });
});

Deno.test("the LayerNorm reference and its gradients are PyTorch's", () => {
  const x = wave(8, 1.1);
  const options = { weight: wave(4, 0.7).map((value) => 1 + value), bias: wave(4, 0.3), epsilon: 0.01 };
  assertClose(layerNorm(x, options), [
    ...[1.897098045895, 2.283493128031, 0.038120738968, -0.990119579783],
    ...[-2.300254920474, 0.617190657444, 2.8223196298, 1.543354944708],
  ], { tolerance: EXACT, what: "y" });
  const gradients = layerNormGradients(x, { ...options, gradient: wave(8, 0.6) });
  assertClose(gradients.x, [
    ...[-0.737255630841, 0.487744350506, 0.640441889734, -0.3909306094],
    ...[0.057783319364, 0.062900902383, 0.056106540494, -0.176790762241],
  ], { tolerance: EXACT, what: "dx" });
  assertClose(gradients.weight, [0.327209146205, 0.7951761878, -1.343302563653, -1.428715774718], {
    tolerance: EXACT,
    what: "dw",
  });
  assertClose(gradients.bias, [0.705762481455, 0.489518642672, 0.102271858465, -0.320701428285], {
    tolerance: EXACT,
    what: "db",
  });
});

Deno.test("the references of erf and GELU, exact and by tanh, are PyTorch's", () => {
  const at = [-6, -2.5, -1, -0.3, 1e-3, 0.5, 1, 3, 4.5];
  assertClose(at.map(erf), [
    ...[-1, -0.999593047983, -0.84270079295, -0.328626759459, 0.001128378791, 0.520499877813],
    ...[0.84270079295, 0.999977909503, 0.999999999803],
  ], { tolerance: 1e-12, what: "erf" });
  const x = wave(8, 0.8).map((value) => 4 * value);
  const gradient = wave(8, 0.5);
  assertClose(gelu(x, "none"), [
    ...[2.863524544892, 3.998166865449, 2.692537504244, -0.095193731274],
    ...[-0.003735916707, -0.000134636145, -0.014604528002, 0.316763343632],
  ], { tolerance: EXACT, what: "gelu" });
  assertClose(geluGradient(x, { approximation: "none", gradient }), [
    ...[0.487383618078, 0.841897488289, 1.02200101896, 0.288284842316],
    ...[-0.006658478872, -7.5239824e-05, 0.012549180612, -0.640479485949],
  ], { tolerance: EXACT, what: "gelu gradient" });
  assertClose(gelu(x, "tanh"), [
    ...[2.863976511777, 3.998223592487, 2.693010733024, -0.095194673057],
    ...[-0.00333371552, -7.5564313e-05, -0.014156646752, 0.316750016074],
  ], { tolerance: EXACT, what: "tanh" });
  assertClose(geluGradient(x, { approximation: "tanh", gradient }), [
    ...[0.487269966487, 0.841755104028, 1.02199640243, 0.288299232362],
    ...[-0.006430723873, -5.0583181e-05, 0.01265318877, -0.640399751312],
  ], { tolerance: EXACT, what: "tanh gradient" });
});

Deno.test("the AdamW reference takes PyTorch's steps", () => {
  let state: AdamwState = {
    parameters: wave(4, 1.9),
    first: new Float64Array(4),
    second: new Float64Array(4),
  };
  for (const step of [1, 2, 3]) {
    state = adamwStep(state, {
      gradient: wave(4, 0.4 * step),
      learningRate: 0.01,
      betas: [0.9, 0.99],
      epsilon: 1e-8,
      weightDecay: 0.1,
      decays: () => true,
      step,
    });
  }
  const expected = {
    parameters: [0.914026407923, -0.639758948327, -0.573585623768, 0.949857563223],
    first: [0.189308842505, 0.215613785692, 0.092034807883, -0.023904671946],
    second: [0.015267794984, 0.019497656482, 0.014989221362, 0.01974981748],
  };
  for (const name of ["parameters", "first", "second"] as const) {
    assertClose(state[name], expected[name], { tolerance: EXACT, what: name });
  }
});

Deno.test("the matrix reference multiplies and transposes by hand-computed figures", () => {
  const a = { values: [1, 2, 3, 4, 5, 6], rows: 2, columns: 3 };
  const b = { values: [1, 0, -1, 2, 0, 1], rows: 3, columns: 2 };
  assertClose(product(a, b), [-1, 7, -1, 16], { tolerance: 0, what: "a b" });
  assertClose(transpose(a).values, [1, 4, 2, 5, 3, 6], { tolerance: 0, what: "aᵀ" });
});
